import Postgres
import Synchronization

/// Connections to Postgres for the loaders, made when they are needed and kept for the next load.
final class LoaderConnections: Sendable {
    private struct Idle {
        let connection: PostgresConnection
        /// Its session's statement_timeout.
        let timeout: Duration
        let since: ContinuousClock.Instant
    }

    private let settings: PostgresSettings
    private let sessionSettings: String
    private let idle = Mutex<[Idle]>([])
    private static let patience = Duration.seconds(30)

    /// - Parameter sessionSettings: SQL that makes values' text what it is for everybody.
    init(_ settings: PostgresSettings, sessionSettings: String) {
        self.settings = settings
        self.sessionSettings = sessionSettings + "; SET default_transaction_read_only = on"
    }

    /// Lends a connection on which no statement takes longer than `timeout`. One that has failed, other than by a
    /// query's own fault, is not lent again.
    func with<Value>(
        timeout: Duration, _ body: (PostgresConnection) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let connection = try await take(timeout)
        let value: Value
        do {
            value = try await body(connection)
        } catch {
            if error.sqlState != nil, !error.isServerTrouble { give(connection, timeout) }
            throw error
        }
        give(connection, timeout)
        return value
    }

    /// Closes those that nobody has needed for a while.
    func closeIdle() {
        let now = ContinuousClock.now
        idle.withLock { idle in idle.removeAll { now - $0.since > Self.patience } }
    }

    private func take(_ timeout: Duration) async throws(PostgresError) -> PostgresConnection {
        let limit = "SET statement_timeout = \(max(1, Int64(timeout / .milliseconds(1))))"
        let doing = "setting up a loader"
        if let last = idle.withLock({ $0.popLast() }) {
            if last.timeout != timeout { try await last.connection.script(limit, doing: doing) }
            return last.connection
        }
        let connection = try await PostgresConnection.connect(settings)
        try await connection.script("\(sessionSettings); \(limit)", doing: doing)
        return connection
    }

    private func give(_ connection: PostgresConnection, _ timeout: Duration) {
        idle.withLock { $0.append(Idle(connection: connection, timeout: timeout, since: .now)) }
    }
}
