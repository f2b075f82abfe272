import Logging

/// Makes one line of a failure that comes again and again: the first is said at once, and those that follow within
/// some time are counted. A value without I/O or clock.
struct RepeatFilter: Sendable {
    /// How often a line would have been said, and in how many seconds.
    struct Repetition: Hashable, Sendable {
        var count: Int
        var seconds: Int
    }

    private struct Window {
        var start: ContinuousClock.Instant
        var length: Duration
        var held = 0
    }

    private var windows: [LogEntry: Window] = [:]
    private let base: Duration
    private let cap: Duration
    private let limit: Int

    /// - Parameters:
    ///   - base: How long a line's repetitions are held back at first; it doubles as long as there are some.
    ///   - cap: … at most.
    ///   - limit: So many different lines are looked after; more than that are all said.
    init(base: Duration = .seconds(10), cap: Duration = .seconds(60), limit: Int = 1_000) {
        self.base = base
        self.cap = cap
        self.limit = limit
    }

    /// Whether nothing is held back or could be.
    var isEmpty: Bool { windows.isEmpty }

    /// Whether a line is to be said now.
    mutating func admits(_ entry: LogEntry, at now: ContinuousClock.Instant) -> Bool {
        guard entry.level >= .warning else { return true }
        let line = Self.identity(of: entry)
        guard var window = windows[line], window.held > 0 || now < window.start + window.length else {
            if windows.count < limit || windows[line] != nil { windows[line] = Window(start: now, length: base) }
            return true
        }
        window.held += 1
        windows[line] = window
        return false
    }

    /// The lines whose time is over and that were held back meanwhile.
    mutating func due(at now: ContinuousClock.Instant) -> [(entry: LogEntry, repetition: Repetition)] {
        let over = windows.filter { now >= $0.value.start + $0.value.length }
        for (line, window) in over {
            windows[line] = window.held > 0 ? Window(start: now, length: min(cap, window.length * 2)) : nil
        }
        return Self.repetitions(over, now)
    }

    /// All that was held back: it is the end.
    mutating func flush(at now: ContinuousClock.Instant) -> [(entry: LogEntry, repetition: Repetition)] {
        defer { windows = [:] }
        return Self.repetitions(windows, now)
    }

    private static func repetitions(
        _ windows: [LogEntry: Window], _ now: ContinuousClock.Instant
    ) -> [(entry: LogEntry, repetition: Repetition)] {
        windows.filter { $0.value.held > 0 }.sorted {
            ($0.value.start, $0.key.message) < ($1.value.start, $1.key.message)
        }
        .map { entry, window in
            let seconds = max(1, Int(((now - window.start) / .seconds(1)).rounded()))
            return (entry, Repetition(count: window.held, seconds: seconds))
        }
    }

    /// What is the same of all repetitions: a number tells them apart.
    private static func identity(of entry: LogEntry) -> LogEntry {
        var entry = entry
        entry.metadata["id"] = nil
        return entry
    }
}
