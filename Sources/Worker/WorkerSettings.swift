public import Capture
public import Delivery
public import Postgres

/// What a worker needs to know besides the rules.
public struct WorkerSettings: Sendable {
    /// The database.
    public var postgres: PostgresSettings
    /// The target's name, under which its cursor is stored.
    public var target: String
    /// How long what is in flight may take to finish after the order to stop.
    public var gracePeriod: Duration
    /// How often and when failed actions are tried again.
    public var retry: RetryPolicy
    /// The wait between two reads while changes keep coming.
    public var pace: Duration
    /// How often a sleeping worker looks although nobody rang; nil: never.
    public var sweep: Duration?
    /// How often the installed capture is compared with the rules.
    public var captureCheckInterval: Duration
    /// How often time slots of the outbox that nobody needs any more are looked for.
    public var reclaimInterval: Duration
    /// Records in one batch, at most.
    public var batchSize: Int
    /// Changes that are kept for people who look on; 0: none.
    public var recentChanges: Int
    /// Keys, patterns and lookups in flight, at about which reading waits.
    public var inFlightLimit: Int
    /// Where somebody else's triggers tell of changes.
    public var listen: [ListenChannel]

    /// Settings with DESIGN's defaults.
    public init(
        postgres: PostgresSettings, target: String = "default", gracePeriod: Duration = .seconds(10),
        retry: RetryPolicy = RetryPolicy(), pace: Duration = .milliseconds(5), sweep: Duration? = .seconds(1),
        captureCheckInterval: Duration = .seconds(15), reclaimInterval: Duration = .seconds(60),
        batchSize: Int = 1_000, recentChanges: Int = 0, inFlightLimit: Int = 50_000,
        listen: [ListenChannel] = []
    ) {
        self.postgres = postgres
        self.target = target
        self.gracePeriod = gracePeriod
        self.retry = retry
        self.pace = pace
        self.sweep = sweep
        self.captureCheckInterval = captureCheckInterval
        self.reclaimInterval = reclaimInterval
        self.batchSize = batchSize
        self.recentChanges = recentChanges
        self.inFlightLimit = inFlightLimit
        self.listen = listen
    }
}
