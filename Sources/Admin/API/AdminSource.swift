public import Logging
public import Postgres
import Rules
public import Worker

/// What the admin port shows, and whom it gives orders to.
public struct AdminSource: Sendable {
    /// What is asked of a worker.
    struct Asked: Sendable {
        /// How it stands.
        var status: @Sendable () -> WorkerStatus
        /// The last changes, oldest first.
        var changes: @Sendable () -> [ChangeEvent]
        /// The changes from now on.
        var follow: @Sendable () -> AsyncStream<RecentChanges.News>
        /// Leaves a target alone, or no longer; nil: all of them. False: another worker leads.
        var hold: @Sendable (Bool, String?) -> Bool
        /// The tables of a target's rules; nil: of all rules.
        var tables: @Sendable (String?) -> [TableName]
        /// The table of the rule of that name; nil: there is no such rule.
        var table: @Sendable (String) -> TableName?
    }

    var worker: Asked
    /// The program's version.
    var version: String
    /// Has the database.
    var postgres: PostgresSettings
    /// What is counted.
    var metrics: PrometheusMetrics
    /// What is logged at least.
    var logLevel: @Sendable () -> Logger.Level
    /// Changes that.
    var setLogLevel: @Sendable (Logger.Level) -> Void

    /// A worker, and what is about it.
    public init(
        _ worker: Worker, version: String, postgres: PostgresSettings, metrics: PrometheusMetrics,
        logLevel: @escaping @Sendable () -> Logger.Level, setLogLevel: @escaping @Sendable (Logger.Level) -> Void
    ) {
        let asked = Asked(
            status: { worker.status }, changes: { worker.changes.all }, follow: { worker.changes.follow() },
            hold: { worker.hold($0, target: $1) },
            tables: { worker.tables(ofTarget: $0) }, table: { worker.table(ofRule: $0) })
        self.init(
            asked, version: version, postgres: postgres, metrics: metrics, logLevel: logLevel, setLogLevel: setLogLevel)
    }

    init(
        _ worker: Asked, version: String, postgres: PostgresSettings, metrics: PrometheusMetrics,
        logLevel: @escaping @Sendable () -> Logger.Level, setLogLevel: @escaping @Sendable (Logger.Level) -> Void
    ) {
        self.worker = worker
        self.version = version
        self.postgres = postgres
        self.metrics = metrics
        self.logLevel = logLevel
        self.setLogLevel = setLogLevel
    }
}
