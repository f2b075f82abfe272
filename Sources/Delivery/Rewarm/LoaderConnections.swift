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

    /// Runs one statement in a transaction that only reads: settings that a query makes end with it.
    ///
    /// - Parameter timeout: Of the server; ours is a little longer.
    func query(
        _ sql: String, _ parameters: [Parameter], on connection: PostgresConnection, prepared: Bool,
        within timeout: Duration, doing: String
    ) async throws(PostgresError) -> Rows {
        let limit = max(.milliseconds(1), timeout)
        return try await connection.readOnly(
            sql, parameters,
            settings: "\(sessionSettings); SET statement_timeout = \(Int64(limit / .milliseconds(1)))",
            isOfPrimary: true, binary: true, prepared: prepared, deadline: limit + .seconds(1), doing: doing)
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
    /// Whether a query that is to read only is at fault: one that writes is, and one that takes more room than
    /// `temp_file_limit` allows.
    var isOfTheQuery: Bool { sqlState != nil && !isServerTrouble || ["25006", "53400"].contains(sqlState) }

    /// Whether the server stopped the query: by `statement_timeout`, or because somebody asked it to.
    var tookTooLong: Bool { sqlState == "57014" }
}
