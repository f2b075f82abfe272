import Logging
import Synchronization
import TestSupport
import Testing

@testable import Worker

/// Which failures are said, and which are counted.
@Suite struct RepeatFilterTests {
    private let start = ContinuousClock.now

    private func entry(_ message: String, _ reason: String = "r", id: Int = 0, level: Logger.Level = .warning)
        -> LogEntry
    {
        LogEntry(level: level, message: message, metadata: ["reason": reason, "id": "\(id)"])
    }

    /// The first is said at once; what follows is said once, with its number, after 10, 20, 40, 60 and 60 s.
    @Test func flood() {
        let filter = Filter()
        var said: [String] = []
        for tick in 0..<2_500 {
            let now = start + .milliseconds(100) * tick
            for line in filter.due(at: now) {
                said.append("\(line.repetition.count) in \(line.repetition.seconds) s")
                #expect(line.entry.metadata == ["reason": "r"])
            }
            if filter.admits(entry("No", id: tick), at: now) { said.append("first") }
        }
        #expect(said == ["first", "99 in 10 s", "200 in 20 s", "400 in 40 s", "600 in 60 s", "600 in 60 s"])
        #expect(filter.flush(at: start + .seconds(250)).map(\.repetition) == [.init(count: 600, seconds: 60)])
        #expect(filter.isEmpty)
    }

    /// Other messages, other reasons, and what is no failure are not held back by it.
    @Test func others() {
        let filter = Filter()
        #expect(filter.admits(entry("No"), at: start))
        #expect(!filter.admits(entry("No"), at: start))
        #expect(filter.admits(entry("No", "another"), at: start))
        #expect(filter.admits(entry("Neither"), at: start))
        #expect(filter.admits(entry("No", level: .error), at: start))
        for _ in 0..<5 { #expect(filter.admits(entry("Well", level: .notice), at: start)) }
    }

    /// After a quiet time it is new again.
    @Test func quietTime() {
        let filter = Filter()
        #expect(filter.admits(entry("No"), at: start))
        #expect(filter.due(at: start + .seconds(9)).isEmpty && !filter.isEmpty)
        #expect(filter.due(at: start + .seconds(10)).isEmpty && filter.isEmpty)
        #expect(filter.admits(entry("No"), at: start + .seconds(11)))
        // Where nobody asks what is due, too.
        #expect(filter.admits(entry("No"), at: start + .seconds(21)))
        #expect(!filter.admits(entry("No"), at: start + .seconds(22)))
        #expect(!filter.admits(entry("No"), at: start + .seconds(40)))
        #expect(filter.due(at: start + .seconds(41)).map(\.repetition.count) == [2])
    }

    /// Never more lines in memory than allowed, and none is lost for that.
    @Test func manyLines() {
        let filter = Filter(limit: 3)
        for number in 0..<10 { #expect(filter.admits(entry("No", "\(number)"), at: start)) }
        let again = (0..<10).map { filter.admits(entry("No", "\($0)"), at: start) }
        #expect(again == [false, false, false] + [Bool](repeating: true, count: 7))
        #expect(filter.flush(at: start).count == 3)
    }

    /// Whatever comes when: what was said and what was counted is all that there was.
    @Test func nothingIsLost() {
        var random = SeededGenerator()
        for _ in 0..<300 {
            let filter = Filter(base: .seconds(2), cap: .seconds(9), limit: Int.random(in: 1...5, using: &random))
            var (said, given, now) = (0, 0, start)
            for _ in 0..<200 {
                now += .milliseconds(Int.random(in: 0...1_500, using: &random))
                if Bool.random(using: &random) {
                    said += filter.due(at: now).reduce(0) { $0 + $1.repetition.count }
                } else {
                    given += 1
                    if filter.admits(entry("No", "\(Int.random(in: 0..<7, using: &random))", id: given), at: now) {
                        said += 1
                    }
                }
            }
            said += filter.flush(at: now).reduce(0) { $0 + $1.repetition.count }
            #expect(said == given)
        }
    }

    /// The service says what was held back when its time is over, and the rest at the end.
    @Test func service() async throws {
        let lines = Lines()
        let output = LogOutput(
            .text, levels: LogLevelSwitch(.info), repeats: RepeatFilter(base: .milliseconds(20)), write: lines.append)
        let logger = output.logger("test")
        let running = Task { await output.run() }
        for _ in 0..<5 { logger.warning("No") }
        try await eventually("the repetitions are said") {
            lines.all.contains { $0.contains("No (repeated 4 times in ") }
        }
        #expect(lines.all.count == 2)
        for _ in 0..<3 { logger.error("Never") }
        running.cancel()
        await running.value
        #expect(lines.all.count { $0.contains("Never") } == 2)
        #expect(lines.all.last?.contains("Never (repeated 2 times in 1 s)") ?? false, "\(lines.all)")
        logger.error("Never")
        output.flush()
        #expect(lines.all.count { $0.contains("Never") } == 3)
    }
}

/// The value in a place where expectations may call it.
private final class Filter {
    private var filter: RepeatFilter

    init(base: Duration = .seconds(10), cap: Duration = .seconds(60), limit: Int = 1_000) {
        filter = RepeatFilter(base: base, cap: cap, limit: limit)
    }

    var isEmpty: Bool { filter.isEmpty }

    func admits(_ entry: LogEntry, at now: ContinuousClock.Instant) -> Bool { filter.admits(entry, at: now) }

    func due(at now: ContinuousClock.Instant) -> [(entry: LogEntry, repetition: RepeatFilter.Repetition)] {
        filter.due(at: now)
    }

    func flush(at now: ContinuousClock.Instant) -> [(entry: LogEntry, repetition: RepeatFilter.Repetition)] {
        filter.flush(at: now)
    }
}
