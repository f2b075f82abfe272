public import Delivery
public import Redis

/// A Redis that is to be kept true, and how.
public struct TargetSettings: Sendable {
    /// What is done for a target that the outbox could not keep all records for.
    public enum Resync: String, Sendable, CaseIterable {
        /// As soon as it can be reached again, every row of its rules' tables counts as changed.
        case anyRow = "any-row"
        /// The same, once somebody orders it.
        case manual
    }

    /// Its name, under which its cursor is stored.
    public var name: String
    /// Where it is.
    public var url: RedisURL
    /// How it is talked to.
    public var options: TargetOptions
    /// How its patterns are served.
    public var sweep: SweepOptions
    /// How often and when its failed actions are tried again.
    public var retry: RetryPolicy
    /// What is done when it has missed records.
    public var resync: Resync

    /// A target with DESIGN's defaults.
    public init(
        name: String = "default", url: RedisURL, options: TargetOptions = .init(), sweep: SweepOptions = .init(),
        retry: RetryPolicy = .init(), resync: Resync = .anyRow
    ) {
        self.name = name
        self.url = url
        self.options = options
        self.sweep = sweep
        self.retry = retry
        self.resync = resync
    }
}
