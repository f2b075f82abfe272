import TestSupport
import Testing

/// A worker that has nothing to do.
@Suite struct IdleTests {
    /// To store the cursor moves it, and must be no reason to store it again.
    @Test func storesLittle() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { _ in
                try await site.change(1...5)
                try await site.waitUntilServed()
                let application = try await site.connect()
                var sweeps: Set<String?> = []
                var stored: Set<String?> = []
                try await eventually("it has swept seven times") {
                    sweeps.insert(
                        try await application.value(
                            """
                            SELECT max(query_start)::text FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%unstale.outbox%'
                            """))
                    stored.insert(try await application.value("SELECT updated_at::text FROM unstale.targets"))
                    return sweeps.count > 7
                }
                // What was there, and what tells now and then that somebody works.
                #expect(stored.count <= 2)
            }
        }
    }
}
