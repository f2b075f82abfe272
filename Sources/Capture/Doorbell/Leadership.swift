public import Postgres

/// One worker at a time: the advisory lock that the leading worker's session holds. It is free the moment that
/// session ends, kill -9 included, and one who stands by has it a second later.
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
        let doing = "asking for the lead"
        if wake == .poll { try await connection.script("BEGIN", doing: doing) }
        let rows = try await connection.query(
            "SELECT \(wake == .poll ? "pg_try_advisory_xact_lock" : "pg_try_advisory_lock")(\(lock))", doing: doing)
        let leads = rows.first?.bool(0) ?? false
        if wake == .poll, !leads { try await connection.script("ROLLBACK", doing: doing) }
        return leads
    }

    /// Waits for the lead, after `tryAcquire` has failed, for as long as another worker has it.
    ///
    /// It asks once a second. A statement that waited for the lock would keep its snapshot, and as long as that is there
    /// VACUUM removes nothing in the whole database that has died since, and CREATE INDEX CONCURRENTLY doesn't end.
    public func acquire() async throws(PostgresError) {
        repeat {
            // Nobody notifies: a wait that also ends with the connection.
            _ = try await connection.waitForNotification(within: .seconds(1))
        } while try await !tryAcquire()
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
