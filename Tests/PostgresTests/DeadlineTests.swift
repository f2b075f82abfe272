import Postgres
import TestSupport
import Testing

@Suite struct DeadlineTests {
    @Test func aDeadlineClosesTheConnection() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let start = ContinuousClock.now
        let error = try await failure {
            _ = try await connection.query(
                "SELECT pg_sleep(60)", deadline: .milliseconds(100), doing: "sleeping")
        }
        #expect(error.code == .timeout && isOneLine(error) && ContinuousClock.now - start < .seconds(2))
        for _ in 1...3 {
            let next = try await failure { _ = try await connection.value("SELECT 1") }
            #expect(next.code == .disconnected && isOneLine(next), "\(next)")
        }
    }

    @Test func aServerThatStandsStill() async throws {
        try await PostgresServer.with { server in
            let settings = PostgresSettings(connection: server.url())
            let connection = try await PostgresConnection.connect(settings)
            let other = try await PostgresConnection.connect(settings)
            try server.pause()
            let start = ContinuousClock.now
            let error = try await failure {
                _ = try await connection.query("SELECT 1", deadline: .milliseconds(100), doing: "test")
            }
            #expect(error.code == .timeout)
            // A cancellation can't be delivered, and must not wait for ever either.
            let cancelled = Task { _ = try await other.query("SELECT 1", doing: "test") }
            try await Task.sleep(for: .milliseconds(50))
            cancelled.cancel()
            _ = try await failure { try await cancelled.value }
            #expect(ContinuousClock.now - start < .seconds(8))
            try server.resume()
        }
    }

    /// More than the sockets hold, in both directions.
    @Test func aLargeStatementWithManyNotices() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let noise = String(repeating: "DO $$ BEGIN RAISE NOTICE '%', repeat('x', 60000); END $$;", count: 400)
        let padding = "/*" + String(repeating: "y", count: 20_000_000) + "*/"
        try await connection.script("SET client_min_messages = notice", doing: "test")
        try await connection.script(noise + padding + noise, doing: "test")
    }
}
