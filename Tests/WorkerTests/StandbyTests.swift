import Capture
import Postgres
import TestSupport
import Testing

/// One worker at a time.
@Suite struct StandbyTests {
    @Test(arguments: Wake.allCases) func takesOverAfterKill(wake: Wake) async throws {
        try await Site.withUsers(install: ["--wake", wake.rawValue]) { site, _ in
            let first = try site.startWorker()
            try await first.waitUntilServing()
            try await site.withWorker(isServing: false) { second in
                try await second.wait(for: "Standing by")
                let writer = Task { try await site.change(1...200) }
                try await site.waitUntilGone([20])
                let death = ContinuousClock.now
                try await first.kill9()
                try await second.waitUntilServing()
                #expect(.now - death < .seconds(5))
                try await writer.value
                try await site.waitUntilGone(1...200)
                #expect(second.count("Standing by") == 1)
            }
        }
    }

    @Test func takesOverWhenTheLeadersSessionEnds() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { first in
                try await site.withWorker(isServing: false) { second in
                    try await second.wait(for: "Standing by")
                    let application = try await site.connect()
                    try await application.sql(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_locks
                        WHERE locktype = 'advisory' AND granted AND objid = 2
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        """)
                    try await second.waitUntilServing(within: .seconds(5))
                    try await first.wait(for: "Standing by")
                    try await site.change(1...50)
                    try await site.waitUntilGone(1...50)
                }
                try await first.waitUntilServing(session: 2, within: .seconds(5))
                try await site.change(51...100)
                try await site.waitUntilGone(51...100)
            }
        }
    }

    /// Workers of other databases on the same server don't count.
    @Test func otherDatabases() async throws {
        try await Site.withUsers { one, _ in
            try await one.withWorker { _ in
                try await Site.withUsers { other, _ in
                    try await other.withWorker { worker in #expect(worker.count("Standing by") == 0) }
                }
            }
        }
    }
}
