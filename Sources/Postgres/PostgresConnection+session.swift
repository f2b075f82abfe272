extension PostgresConnection {
    /// A connection to a server that has every change by now. Of several hosts a standby may be the first to answer.
    public static func connectToPrimary(_ settings: PostgresSettings) async throws(PostgresError) -> PostgresConnection
    {
        let connection = try await connect(settings)
        let doing = "connecting to Postgres"
        let rows = try await connection.query("SELECT pg_catalog.pg_is_in_recovery()", doing: doing)
        guard rows.first?.bool(0) == false else {
            throw PostgresError(
                code: .connect, message: "this is a standby, which may not have the change yet", doing: doing)
        }
        return connection
    }

    /// Runs what only reads, in a transaction that leaves nothing behind in the session: behind a pooler that is everybody's.
    ///
    /// - Parameters:
    ///   - settings: SQL for the beginning of the transaction; `body` is given the result of its last statement.
    ///   - deadline: Of the beginning and of the end.
    public nonisolated func readOnly<Value: Sendable>(
        _ settings: String = "", within deadline: Duration = .seconds(30), doing: String,
        _ body: (Rows) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let value: Value
        do throws(PostgresError) {
            let begun = try await script(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \(settings)", deadline: deadline, doing: doing)
            value = try await body(begun)
        } catch {
            if error.sqlState != nil { try await script("ROLLBACK", deadline: deadline, doing: doing) }
            throw error
        }
        try await script("ROLLBACK", deadline: deadline, doing: doing)
        return value
    }

    /// Whatever limits its role or its database has: a connection may wait for long, for the doorbell or in the transaction
    /// by which a worker leads. `transaction_timeout` came with PostgreSQL 17.
    static let sessionSettings = """
        SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2;
        SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
        SET idle_session_timeout = 0;
        SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) <> '';
        SET client_min_messages = warning; SET synchronous_commit = on;
        SET default_transaction_isolation = 'read committed'
        """
}
