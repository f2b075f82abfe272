import Postgres
import TestSupport
import Testing

/// What of the server's words is for logs.
@Suite struct ErrorSummaryTests {
    @Test(arguments: [
        ("SELECT 'secret'::int", "test: invalid_text_representation (SQLSTATE 22P02)"),
        ("INSERT INTO u VALUES ('secret')", "test: unique_violation (SQLSTATE 23505)"),
        ("INSERT INTO u VALUES (NULL)", "test: not_null_violation (SQLSTATE 23502)"),
        ("DO $$ BEGIN RAISE 'secret' USING DETAIL = 'secret'; END $$", "test: raise_exception (SQLSTATE P0001)"),
        ("DO $$ BEGIN RAISE 'secret' USING ERRCODE = 'UN001'; END $$", "test: an error (SQLSTATE UN001)"),
        ("DO $$ BEGIN RAISE 'secret' USING ERRCODE = '53300'; END $$", "test: too_many_connections (SQLSTATE 53300)"),
        ("DO $$ BEGIN EXECUTE format('SELECT %I', 'secret'); END $$", "test: undefined_column (SQLSTATE 42703)"),
        ("SELECT to_date('secret', 'YYYY')", "test: invalid_datetime_format (SQLSTATE 22007)"),
        // What can't be of a row is as useful as before.
        ("TABLE nowhere", "test: relation \"nowhere\" does not exist (SQLSTATE 42P01)"),
        ("SELECT nothing", "test: column \"nothing\" does not exist (SQLSTATE 42703)"),
        ("SELEC", "test: syntax error at or near \"SELEC\" (SQLSTATE 42601)"),
        (
            "SET TRANSACTION READ ONLY; CREATE TABLE t ()",
            "test: cannot execute CREATE TABLE in a read-only transaction (SQLSTATE 25006)"
        ),
    ])
    func summaries(sql: String, summary: String) async throws {
        let connection = try await PostgresConnection.toSharedServer()
        try await connection.script(
            "CREATE TEMPORARY TABLE u (name text PRIMARY KEY); INSERT INTO u VALUES ('secret')", doing: "test")
        let error = try await failure { try await connection.script(sql, doing: "test") }
        #expect(error.summary == summary)
        #expect(!error.summary.contains("secret"))
        #expect(error.description.contains("SQLSTATE"))
    }

    @Test func connections() async throws {
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(PostgresSettings(connection: "host=127.0.0.1 port=1"))
        }
        #expect(error?.summary.contains("Connection refused") ?? false)
        let lost = PostgresError(
            code: .disconnected, message: "ERROR:  no secret\nserver closed the connection", doing: "this")
        #expect(lost.summary == "this: the connection was lost")
    }
}
