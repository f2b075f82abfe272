import Postgres
import TestSupport
import Testing

@Suite struct ServerErrorTests {
    @Test(arguments: [
        ("SELECT 1/0", "22012"), ("SELEC", "42601"), ("SELECT nothing", "42703"), ("TABLE nowhere", "42P01"),
        ("SELECT 'x'::int", "22P02"), ("DO $$ BEGIN RAISE 'mine' USING ERRCODE = 'UN001'; END $$", "UN001"),
    ])
    func sqlStates(sql: String, sqlState: String) async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let error = try await failure { _ = try await connection.query(sql, doing: "doing this") }
        #expect(error.code == .server(sqlState: sqlState) && !error.isServerTrouble)
        #expect(isOneLine(error) && error.description.hasSuffix("(SQLSTATE \(sqlState))"), "\(error)")
        #expect(try await connection.value("SELECT 'usable'") == "usable")
    }

    @Test func detailsAndHintsAreOnTheLine() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let error = try await failure {
            try await connection.script(
                "DO $$ BEGIN RAISE E'the\\nmessage' USING DETAIL = E'the\\n\\tdetail', HINT = 'the hint'; END $$",
                doing: "test")
        }
        #expect(error.message == "the; message; the; detail; the hint")
    }

    /// The first error of a script counts; what follows it is not run.
    @Test func errorsInScripts() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let error = try await failure {
            try await connection.script("SELECT 1; SELECT 1/0; SELECT nothing", doing: "test")
        }
        #expect(error.sqlState == "22012")
        #expect(try await connection.value("SELECT 'usable'") == "usable")
    }

    @Test func copyIsRefused() async throws {
        for sql in ["COPY (SELECT 1) TO STDOUT", "CREATE TEMPORARY TABLE t (i int); COPY t FROM STDIN"] {
            let connection = try await PostgresConnection.toSharedServer()
            let error = try await failure { try await connection.script(sql, doing: "test") }
            #expect(error.code == .disconnected && error.message == "COPY is not possible here")
            let next = try await failure { try await connection.script("SELECT 1", doing: "test") }
            #expect(next.code == .disconnected && isOneLine(next), "\(next)")
        }
    }

    @Test func aTerminatedBackendSaysWhy() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let other = try await PostgresConnection.toSharedServer()
        let backend = try await connection.backend
        let sleep = Task { try await connection.query("SELECT pg_sleep(60)", doing: "sleeping") }
        try await eventually("a running statement") {
            try await other.value("SELECT state FROM pg_stat_activity WHERE pid = \(backend)") == "active"
        }
        _ = try await other.value("SELECT pg_terminate_backend(\(backend))::text")
        let error = try await failure { _ = try await sleep.value }
        #expect(error.code == .disconnected && error.isServerTrouble)
        #expect(error.message.contains("terminating connection due to administrator command"), "\(error)")
        let next = try await failure { try await connection.script("SELECT 1", doing: "test") }
        #expect(next.code == .disconnected && isOneLine(next), "\(next)")
    }

    @Test func whatIsServerTrouble() {
        func error(_ sqlState: String) -> PostgresError {
            PostgresError(code: .server(sqlState: sqlState), message: "", doing: "")
        }
        for sqlState in ["08006", "53100", "53300", "57P01", "57P03", "58030", "25006"] {
            #expect(error(sqlState).isServerTrouble, "\(sqlState)")
        }
        for sqlState in ["57014", "22012", "42501", "40001"] {
            #expect(!error(sqlState).isServerTrouble, "\(sqlState)")
        }
    }
}
