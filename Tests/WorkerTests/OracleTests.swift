import TestSupport
import Testing

/// Every committed change's key is gone, nothing else is.
@Suite struct OracleTests {
    /// 50,000 changes in phases. Between them everything is served and the cache is filled again.
    @Test func randomWriters() async throws {
        var random = SeededGenerator()
        try await Site.withShop { site, _, _ in
            try await site.withWorker { worker in
                var oracle = Oracle(site)
                var changes = 0
                while changes < 50_000 {
                    try await oracle.fill()
                    try await Load.with(site, seed: random.next()) { try await $0.wait(for: 7_500) }
                    try await site.waitUntilServed()
                    try await oracle.check()
                    changes = try await site.capturedChanges()
                }
                #expect(worker.count("] Serving") == 1)
            }
        }
    }
}
