public import Postgres

/// One worker at a time: the advisory lock that the leading worker's session holds. It is free the moment that
/// session ends, kill -9 included, and the next in line has it.
public struct Leadership: Sendable {
    let connection: PostgresConnection
    let wake: Wake

    /// Leadership by a session on this connection. Behind a pooler in transaction mode (`wake: poll`) a session
    /// lock would stay with a pooled server connection, so there the lock lives in an open transaction.
    public init(connection: PostgresConnection, wake: Wake) {
        self.connection = connection
        self.wake = wake
    }

    /// Leads, if nobody does.
    public func tryAcquire() async throws(PostgresError) -> Bool {
        if wake == .poll { try await connection.script("BEGIN", doing: "asking for the lead") }
        let rows = try await connection.query(
            "SELECT \(wake == .poll ? "pg_try_advisory_xact_lock" : "pg_try_advisory_lock")(\(lock))",
            doing: "asking for the lead")
        return rows.first?.bool(0) ?? false
    }

    /// Waits for the lead, after `tryAcquire` has failed, for as long as another worker has it.
    public func acquire() async throws(PostgresError) {
        _ = try await connection.query(
            "SELECT \(wake == .poll ? "pg_advisory_xact_lock" : "pg_advisory_lock")(\(lock))",
            deadline: .seconds(365 * 86_400), doing: "standing by")
    }

    /// Fails if the lock's session has ended. With `wake: notify` that session also listens, and whoever waits
    /// for the doorbell hears of its end.
    public func confirm() async throws(PostgresError) {
        guard wake == .poll else { return }
        try await connection.script("SELECT 1", doing: "confirming the lead")
    }

    /// Whether any worker leads in this database now.
    public static func isTaken(_ connection: PostgresConnection) async throws(PostgresError) -> Bool {
        let rows = try await connection.query(
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
                WHERE l.locktype = 'advisory' AND d.datname = current_database() AND l.granted
                    AND (l.classid::bigint, l.objid::bigint) = (\(AdvisoryLock.leader.arguments)) AND l.objsubid = 2)
            """, doing: "looking for a worker")
        return rows.first?.bool(0) ?? false
    }

    private var lock: String { AdvisoryLock.leader.arguments }
}
