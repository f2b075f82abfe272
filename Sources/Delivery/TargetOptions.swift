import Redis

/// How a target is talked to.
public struct TargetOptions: Sendable {
    /// How its connections are made.
    public var connection: RedisConnectionOptions
    /// The longest that a pipeline may take; after that the connection is closed.
    public var deadline: Duration
    /// The time between two attempts to reach a target that is down.
    public var backoff: Backoff
    /// How often a connection is asked which server it leads to, so that one that is half-open, or that became a
    /// replica, is noticed although there is nothing to delete: after this and the deadline together at the latest.
    public var checkInterval: Duration
    /// The most keys in one UNLINK, which Redis executes without doing anything else meanwhile.
    public var keysPerCommand: Int
    /// About the most bytes of keys, and of what else commands are about, in one pipeline.
    public var bytesPerPipeline: Int
    /// Whether every deletion is fenced, by key and by pattern, and not only those of rules that ask for it.
    public var fencesAll: Bool

    /// How many replicas must have what was deleted before it counts as deleted (`WAIT`).
    public var waitReplicas: Int
    /// Which keys the worker keeps in memory, so that patterns about them need no scan; nil: none.
    public var index: KeyIndexOptions?

    /// Options; the defaults suit a server in the same network.
    public init(
        connection: RedisConnectionOptions = .init(), deadline: Duration = .seconds(5),
        backoff: Backoff = .exponential(base: .milliseconds(50), cap: .seconds(1)),
        checkInterval: Duration = .seconds(2), keysPerCommand: Int = 256, bytesPerPipeline: Int = 1 << 20,
        fencesAll: Bool = false, waitReplicas: Int = 0, index: KeyIndexOptions? = nil
    ) {
        self.connection = connection
        self.deadline = deadline
        self.backoff = backoff
        self.checkInterval = checkInterval
        self.keysPerCommand = keysPerCommand
        self.bytesPerPipeline = bytesPerPipeline
        self.fencesAll = fencesAll
        self.waitReplicas = waitReplicas
        self.index = index
    }
}
