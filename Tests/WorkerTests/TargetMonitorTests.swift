import Redis
import TestSupport
import Testing

@testable import Worker

/// Whoever asks which Redis is served hears of each that was another.
@Suite struct TargetMonitorTests {
    private func identity(_ number: Int) -> RedisIdentity {
        RedisIdentity(runID: "\(number)", replicationID: "", role: .master)
    }

    @Test func thereAndBackAgain() {
        let monitor = TargetMonitor(target: "test")
        #expect(monitor.nextServer() == nil)
        monitor.reached(identity(1))
        let first = monitor.nextServer()
        monitor.reached(identity(1))
        #expect(first != nil && monitor.nextServer() == first)
        monitor.reached(identity(2))
        monitor.reached(identity(1))
        #expect(monitor.nextServer() != first)
        #expect(monitor.nextServer() == first)
        #expect(monitor.nextServer() == first)
    }

    /// However often it changes before somebody asks: the one who asks sees a change if there was one, and ends up
    /// with the last.
    @Test func noChangeGoesUnseen() throws {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let monitor = TargetMonitor(target: "test")
            monitor.reached(identity(0))
            var served = monitor.nextServer()
            var last = 0
            for _ in 0..<30 {
                var hasChanged = false
                for _ in 0..<Int.random(in: 0...4, using: &random) {
                    let next = Int.random(in: 0...2, using: &random)
                    hasChanged = hasChanged || next != last
                    last = next
                    monitor.reached(identity(next))
                }
                var changes = 0
                for _ in 0..<3 {
                    let next = monitor.nextServer()
                    if next != served { changes += 1 }
                    served = next
                }
                try #require((changes > 0) == hasChanged)
                try #require(served?.contains("\"runID\":\"\(last)\"") == true)
            }
        }
    }
}
