import Capture

/// How far a target had been served at earlier times. A value, stored with its cursor.
///
/// A Redis may come back with what it had a replay window ago. What was served since then is needed once more, however
/// long before that it was written: a target that was away for hours is served all of that within seconds. While it is
/// away, what it comes back with gets no older, so that time doesn't count.
struct ServedHistory: Codable, Hashable, Sendable {
    private struct Mark: Codable, Hashable, Sendable {
        /// Microseconds, as ``ServerTime`` has them.
        var at: Int64
        var cursor: String
    }

    /// The oldest first: one that is at least a window old, if the target has been served for so long, and those since.
    private var marks: [Mark] = []
    /// Marks in one window. What is kept too long for want of more is an eighth of it.
    private static let density: Int64 = 8

    /// Nothing is known of earlier times.
    init() {}

    /// A target that needs nothing from before this cursor, now or ever.
    init(beginningAt cursor: Snapshot) { marks = [Mark(at: .min, cursor: cursor.description)] }

    /// The target has been served up to this cursor.
    mutating func note(_ cursor: Snapshot, at now: ServerTime, window: Duration) {
        let window = Int64(window / .microseconds(1))
        delayUnseen(until: now, window: window)
        if let last = marks.last, last.at > now.microseconds - window / Self.density { return }
        marks.append(Mark(at: now.microseconds, cursor: cursor.description))
        let old = marks.prefix { $0.at <= now.microseconds - window }
        marks.removeFirst(max(0, old.count - 1))
    }

    /// When something was noted last; nil: never, or nothing from before is needed.
    var latest: ServerTime? { marks.last.flatMap { $0.at == .min ? nil : ServerTime(microseconds: $0.at) } }

    /// The time between these doesn't count: the target was away. From a later to an earlier one it counts after all.
    mutating func delay(from start: ServerTime, to end: ServerTime) {
        for index in marks.indices where marks[index].at != .min {
            marks[index].at += end.microseconds - start.microseconds
        }
    }

    /// Nobody has looked for long, so the target may have been away since.
    private mutating func delayUnseen(until now: ServerTime, window: Int64) {
        guard let latest, latest.microseconds < now.microseconds - 2 * window / Self.density else { return }
        delay(from: latest, to: now)
    }

    /// How far the target had been served when the window began; nil: that is not known, so perhaps not at all.
    func cursor(aWindowBefore now: ServerTime, window: Duration) -> Snapshot? {
        let window = Int64(window / .microseconds(1))
        var history = self
        history.delayUnseen(until: now, window: window)
        return history.marks.last { $0.at <= now.microseconds - window }.flatMap { Snapshot($0.cursor) }
    }

    /// Whether nothing was ever noted.
    var isEmpty: Bool { marks.isEmpty }
}
