extension PostgresConnection {
    /// A connection to a server that has every change by now. Of several hosts a standby may be the first to answer.
    public static func connectToPrimary(_ settings: PostgresSettings) async throws(PostgresError) -> PostgresConnection
    {
        let connection = try await connect(settings)
        let doing = "connecting to Postgres"
        try checkPrimary(try await connection.script(isStandby, doing: doing), doing: doing)
        return connection
    }

    private static let isStandby = "SELECT pg_catalog.pg_is_in_recovery()"

    private static func checkPrimary(_ rows: Rows, doing: String) throws(PostgresError) {
        guard rows.first?.bool(0) == false else {
            let message =
                "this is a standby, which may not have the change yet; of several hosts the primary is chosen by "
                + "target_session_attrs=read-write"
            throw PostgresError(code: .connect, message: message, doing: doing)
        }
    }

    /// Runs one statement in a transaction that only reads, and that leaves nothing behind in the session:
    /// behind a pooler that is everybody's. All of it is one call, so nothing comes between.
    ///
    /// - Parameters:
    ///   - settings: SQL for the beginning of the transaction.
    ///   - isOfPrimary: Whether a standby is refused.
    ///   - deadline: Of the statement, and of the beginning and the end.
    public nonisolated func readOnly(
        _ sql: String, _ parameters: [Parameter] = [], settings: String = "", isOfPrimary: Bool = false,
        binary: Bool = false, prepared: Bool = false, deadline: Duration = .seconds(30), doing: String
    ) async throws(PostgresError) -> Rows {
        try await interruptible { connection throws(PostgresError) in
            let rows: Rows
            do throws(PostgresError) {
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \(settings); \(Self.isStandby)"
                let begun = try connection.run(script: begin, within: deadline, doing: doing)
                if isOfPrimary { try Self.checkPrimary(begun, doing: doing) }
                rows = try connection.run(
                    sql, parameters, binary: binary, prepared: prepared, within: deadline, doing: doing)
            } catch {
                if error.sqlState != nil || error.code == .connect {
                    _ = try connection.run(script: "ROLLBACK", within: deadline, doing: doing)
                }
                throw error
            }
            _ = try connection.run(script: "ROLLBACK", within: deadline, doing: doing)
            return rows
        }
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
