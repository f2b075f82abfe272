import Postgres
import TestSupport
import Testing

/// The order of commits is not the order of transaction ids, and transactions may be open for long.
@Suite struct CommitOrderTests {
    @Test(arguments: [false, true]) func firstToBeginLastToCommit(isRestarted: Bool) async throws {
        try await Site.withUsers { site, _ in
            var worker = try site.startWorker()
            try await worker.waitUntilServing()
            let others = try await site.connect()
            var slow: [PostgresConnection] = []
            for user in 1...10 {
                let connection = try await site.connect()
                try await connection.sql("BEGIN; UPDATE users SET name = 'slow' WHERE id = '\(user)'")
                slow.append(connection)
                try await others.sql("UPDATE users SET name = 'quick' WHERE id = '\(user + 10)'")
            }
            try await site.waitUntilGone(11...20)
            for user in 1...10 { #expect(try await site.cache().has("user:\(user)")) }
            if isRestarted {
                #expect(try await worker.terminate() == 0)
                worker = try site.startWorker()
                try await worker.waitUntilServing()
            }
            for (user, connection) in Array(zip(1...10, slow)).reversed() {
                try await connection.sql("COMMIT")
                try await site.waitUntilGone([user])
            }
            try await worker.terminate()
        }
    }

    @Test func othersDoNotWaitForOpenTransactions() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { _ in
                let alone = try await medianLatency(site)
                let snapshot = try await site.connect()
                try await snapshot.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM users")
                let besideSnapshot = try await medianLatency(site)
                let writer = try await site.connect()
                try await writer.sql("BEGIN; UPDATE users SET name = 'open' WHERE id = '200'")
                let besideBoth = try await medianLatency(site)
                print(
                    "medians: alone \(alone), beside a snapshot \(besideSnapshot), and a writer \(besideBoth)"
                )
                let limit = alone * 3 + .milliseconds(10)
                #expect(besideSnapshot < limit)
                #expect(besideBoth < limit)
                #expect(try await site.cache().has("user:200"))
                try await writer.sql("COMMIT")
                try await site.waitUntilGone([200])
            }
        }
    }

    /// From the return of a commit to the key's end, of changes that come one at a time.
    private func medianLatency(_ site: Site) async throws -> Duration {
        let connection = try await site.connect()
        let cache = try await site.cache()
        var latencies: [Duration] = []
        for user in 1...100 {
            try await cache.set("user:\(user)")
            try await connection.sql("UPDATE users SET name = 'new' WHERE id = '\(user)'")
            let start = ContinuousClock.now
            while try await cache.has("user:\(user)"), .now - start < .seconds(10) {}
            latencies.append(.now - start)
        }
        return latencies.sorted()[latencies.count / 2]
    }
}
