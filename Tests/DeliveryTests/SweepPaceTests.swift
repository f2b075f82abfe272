import TestSupport
import Testing

@testable import Delivery

@Suite struct SweepPaceTests {
    private func pace(share: Double = 0.2) -> SweepPace {
        SweepPace(share: share, callLimit: .milliseconds(2), latency: .milliseconds(1))
    }

    @Test func restsFourTimesWhatAFifthTook() {
        var fifth = pace()
        #expect(fifth.scanned(in: .milliseconds(3)) == .milliseconds(8))
        #expect(fifth.deleted(in: .milliseconds(2)) == .milliseconds(4))
        #expect(fifth.scanned(in: .microseconds(900)) == .zero, "quicker than the latency")
        #expect(fifth.scanned(in: .seconds(30)) == .milliseconds(100), "Redis stood still")
        var whole = pace(share: 1)
        #expect(whole.scanned(in: .milliseconds(3)) == .zero)
    }

    @Test func adaptsTheCount() {
        var pace = pace()
        #expect(pace.count == 100)
        _ = pace.scanned(in: .microseconds(1100))
        #expect(pace.count == 200)
        for _ in 0..<5 { _ = pace.scanned(in: .microseconds(2500)) }
        #expect(pace.count == 200, "between half of the limit and the limit")
        for _ in 0..<5 { _ = pace.scanned(in: .milliseconds(5)) }
        #expect(pace.count == 100)
        for _ in 0..<20 { _ = pace.scanned(in: .milliseconds(1)) }
        #expect(pace.count == 10_000)
        for _ in 0..<40 { _ = pace.scanned(in: .seconds(1)) }
        #expect(pace.count == 10)
    }

    /// Where every third round trip takes ten times as long as Redis needs, keys take what they take.
    @Test func isNotFooledByNoise() {
        var random = SeededGenerator()
        var pace = SweepPace(share: 0.2, callLimit: .microseconds(150), latency: .microseconds(50))
        var counts: [Int] = []
        for call in 0..<1000 {
            let cost = Duration.nanoseconds(400) * Double(pace.count)
            let noise = call % 3 == 0 ? Duration.microseconds(Int.random(in: 100...1500, using: &random)) : .zero
            _ = pace.scanned(in: .microseconds(50) + cost + noise)
            counts.append(pace.count)
        }
        // 375 keys take 150 µs.
        #expect(counts.dropFirst(20).allSatisfy { (180...400).contains($0) }, "\(counts.min()!)…\(counts.max()!)")
    }
}
