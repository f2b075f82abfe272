import Postgres
import TestSupport
import Testing

/// The server ends while statements run.
@Suite struct ServerEndTests {
    enum End: String, CaseIterable { case kill9, immediate, fast }

    @Test(arguments: End.allCases) func endsMidStatement(end: End) async throws {
        try await PostgresServer.with { server in
            let settings = PostgresSettings(connection: server.url())
            let connection = try await PostgresConnection.connect(settings)
            let listener = try await PostgresConnection.connect(settings)
            try await listener.script("LISTEN it", doing: "test")
            let sleep = Task { _ = try await connection.query("SELECT pg_sleep(60)", doing: "sleeping") }
            let wait = Task { _ = try await listener.waitForNotification(within: .seconds(60)) }
            try await Task.sleep(for: .milliseconds(100))
            let start = ContinuousClock.now
            switch end {
            case .kill9: try await server.kill9()
            case .immediate: try await server.stop(.immediate)
            case .fast: try await server.stop(.fast)
            }
            for task in [sleep, wait] {
                let error = try await failure { try await task.value }
                #expect(error.code == .disconnected && error.isServerTrouble && isOneLine(error), "\(error)")
            }
            #expect(ContinuousClock.now - start < .seconds(10))
            let next = try await failure { _ = try await PostgresConnection.connect(settings) }
            #expect(next.code == .connect && isOneLine(next), "\(next)")
            try await server.start()
            let again = try await PostgresConnection.connect(settings)
            #expect(try await again.value("SELECT 'back'") == "back")
        }
    }
}
