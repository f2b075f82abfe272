public import Logging
import Synchronization

/// The level from which on messages are logged, which may change while the worker runs. All handlers look here at
/// every message.
public final class LogLevelSwitch: Sendable {
    private let index: Atomic<Int>

    /// A switch that begins at a level.
    public init(_ level: Logger.Level) { index = Atomic(Self.levels.firstIndex(of: level) ?? 0) }

    /// The level now.
    public var level: Logger.Level { Self.levels[index.load(ordering: .relaxed)] }

    /// Sets it.
    public func set(_ level: Logger.Level) {
        index.store(Self.levels.firstIndex(of: level) ?? 0, ordering: .relaxed)
    }

    /// One level more of detail, or one less; the outermost stay. Gives the level that it is now.
    func step(toMore: Bool) -> Logger.Level {
        let current = index.load(ordering: .relaxed)
        let next = min(max(0, current + (toMore ? -1 : 1)), Self.levels.count - 1)
        index.store(next, ordering: .relaxed)
        return Self.levels[next]
    }

    /// From the one with the most detail on.
    private static let levels = Logger.Level.allCases.sorted()
}
