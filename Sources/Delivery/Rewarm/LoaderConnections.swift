import Postgres
import Synchronization

/// Connections to Postgres for the loaders, made when they are needed and kept for the next load.
final class LoaderConnections: Sendable {
    private struct Idle {
        let connection: PostgresConnection
        let since: ContinuousClock.Instant
    }

    private let settings: PostgresSettings
    private let sessionSettings: String
    private let idle = Mutex<[Idle]>([])
    private static let patience = Duration.seconds(30)

    /// - Parameter sessionSettings: SQL that makes values' text what it is for everybody.
    init(_ settings: PostgresSettings, sessionSettings: String) {
        self.settings = settings
        self.sessionSettings = sessionSettings
    }

    /// Lends a connection. One that has failed, other than by a query's own fault, is not lent again; where it was
    /// an old one, `body` has another try with a new one.
    func with<Value>(
        _ body: (PostgresConnection) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        if let last = idle.withLock({ $0.popLast() }) {
            do throws(PostgresError) {
                return try await lend(last.connection, body)
            } catch {
                guard error.code == .disconnected else { throw error }
                // The server was most likely restarted, and then the others are of no use either.
                idle.withLock { $0 = [] }
            }
        }
        return try await lend(try await PostgresConnection.connect(settings), body)
    }

    /// Runs one statement in a transaction that only reads, and that leaves nothing behind in the session: settings
    /// that a query makes end with it, and behind a pooler the session is everybody's.
    ///
    /// - Parameter timeout: Of the server; ours is a little longer.
    func query(
        _ sql: String, _ parameters: [Parameter], on connection: PostgresConnection, prepared: Bool,
        within timeout: Duration, doing: String
    ) async throws(PostgresError) -> Rows {
        let limit = max(.milliseconds(1), timeout)
        let begun = try await connection.script(
            """
            BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \(sessionSettings);
            SET statement_timeout = \(Int64(limit / .milliseconds(1))); SELECT pg_catalog.pg_is_in_recovery()
            """, deadline: limit + .seconds(1), doing: doing)
        // Of several hosts it may have been the first to answer.
        guard begun.first?.bool(0) == false else {
            throw PostgresError(
                code: .connect, message: "this is a standby, which may not have the change yet", doing: doing)
        }
        let rows: Rows
        do throws(PostgresError) {
            rows = try await connection.query(
                sql, parameters, binary: true, prepared: prepared, deadline: limit + .seconds(1), doing: doing)
        } catch {
            if error.sqlState != nil { try await connection.script("ROLLBACK", doing: doing) }
            throw error
        }
        try await connection.script("ROLLBACK", deadline: limit + .seconds(1), doing: doing)
        return rows
    }

    /// Closes those that nobody has needed for a while.
    func closeIdle() {
        let now = ContinuousClock.now
        idle.withLock { idle in idle.removeAll { now - $0.since > Self.patience } }
    }

    private func lend<Value>(
        _ connection: PostgresConnection, _ body: (PostgresConnection) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let value: Value
        do throws(PostgresError) {
            value = try await body(connection)
        } catch {
            if error.isOfTheQuery { give(connection) }
            throw error
        }
        give(connection)
        return value
    }

    private func give(_ connection: PostgresConnection) {
        idle.withLock { $0.append(Idle(connection: connection, since: .now)) }
    }
}

extension PostgresError {
    /// Whether a loader's query is at fault. In a transaction that is to read only, one that writes is.
    var isOfTheQuery: Bool { sqlState != nil && !isServerTrouble || sqlState == "25006" }

    /// Whether the server stopped the query: by `statement_timeout`, or because somebody asked it to.
    var tookTooLong: Bool { sqlState == "57014" }
}
