import Glibc
import Postgres
import TestSupport
import Testing

/// SIGTERM and SIGINT: finish what is in flight within the grace period, store the cursor, exit with 0.
@Suite struct ShutdownTests {
    @Test(arguments: [SIGTERM, SIGINT]) func idle(signal: Int32) async throws {
        try await Site.withUsers { site, _ in
            let worker = try site.startWorker()
            try await worker.waitUntilServing()
            try await site.change(1...100)
            try await site.waitUntilGone(1...100)
            let start = ContinuousClock.now
            worker.signal(signal)
            #expect(try await worker.end() == 0)
            #expect(.now - start < .seconds(2))
            // Nobody serves any more, so this is about the cursor that was stored on the way out.
            try await site.waitUntilServed(within: .milliseconds(100))
        }
    }

    @Test func finishesWhatIsInFlight() async throws {
        try await Site.withUsers { site, redis in
            try await FaultProxy.with(to: redis.port, content: .bytes) { proxy in
                var site = site
                site.redis = "redis://127.0.0.1:\(proxy.port)"
                let worker = try site.startWorker()
                try await worker.waitUntilServing()
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                proxy.fault = .stall
                try await site.change(2...100)
                try await eventually("changes read") { try await isReadUpToNow(site) }
                worker.signal(SIGTERM)
                await #expect(throws: TestError.self, "it waits") {
                    try await worker.end(within: .seconds(1))
                }
                proxy.fault = .none
                #expect(try await worker.end() == 0)
                try await site.waitUntilGone(2...100, within: .milliseconds(100))
                try await site.waitUntilServed(within: .milliseconds(100))
            }
        }
    }

    enum Outage: CaseIterable { case down, hung }

    @Test(arguments: Outage.allCases) func redisIsAway(outage: Outage) async throws {
        try await Site.withUsers { site, redis in
            let worker = try site.startWorker(["--grace-period", "1s"])
            try await worker.waitUntilServing()
            try await begin(outage, redis)
            try await site.change(1...100)
            try await eventually("changes read") { try await isReadUpToNow(site) }
            let start = ContinuousClock.now
            #expect(try await worker.terminate() == 0)
            #expect(.now - start > .milliseconds(900), "the grace period")
            #expect(.now - start < .seconds(3))
            try await end(outage, redis)
            try await site.cacheUsers()
            // What was not done is done by the next.
            try await site.withWorker { _ in try await site.waitUntilGone(1...100) }
        }
    }

    @Test(arguments: Outage.allCases) func redisWasNeverReached(outage: Outage) async throws {
        try await Site.withUsers { site, redis in
            try await begin(outage, redis)
            let worker = try site.startWorker(["--grace-period", "500ms"])
            try await worker.waitUntilServing()
            let start = ContinuousClock.now
            #expect(try await worker.terminate() == 0)
            #expect(.now - start < .seconds(2))
            try await end(outage, redis)
        }
    }

    @Test(arguments: Outage.allCases, [true, false])
    func postgresIsAway(outage: Outage, wasServed: Bool) async throws {
        try await PostgresServer.with { server in
            try await RedisServer.with { redis in
                let site = try Site(
                    database: server.url(), redis: "redis://127.0.0.1:\(redis.port)", rules: Users.rules)
                try await site.prepare(Users.schema)
                let worker: Program
                if wasServed {
                    worker = try site.startWorker(["--grace-period", "1s"])
                    try await worker.waitUntilServing()
                    try await begin(outage, server)
                } else {
                    try await begin(outage, server)
                    worker = try site.startWorker(["--grace-period", "1s"], settings: ["LOG_LEVEL": "debug"])
                    // The second of these lines comes when signals are heard, the first ("… lifecycle") before.
                    try await worker.wait(for: "Starting service", count: 2)
                }
                if outage == .down { try await worker.wait(for: "Postgres is waited for") }
                let start = ContinuousClock.now
                #expect(try await worker.terminate() == 0)
                #expect(.now - start < .seconds(6))
                if outage == .hung { try server.resume() }
            }
        }
    }

    @Test func standingBy() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { _ in
                let standby = try site.startWorker()
                try await standby.wait(for: "Standing by")
                let start = ContinuousClock.now
                #expect(try await standby.terminate() == 0)
                #expect(.now - start < .seconds(1))
            }
        }
    }

    private func begin(_ outage: Outage, _ redis: RedisServer) async throws {
        switch outage {
        case .down: try await redis.kill9()
        case .hung: try redis.pause()
        }
    }

    private func end(_ outage: Outage, _ redis: RedisServer) async throws {
        switch outage {
        case .down: try await redis.start()
        case .hung: try redis.resume()
        }
    }

    private func begin(_ outage: Outage, _ server: PostgresServer) async throws {
        switch outage {
        case .down: try await server.stop(.immediate)
        case .hung: try server.pause()
        }
    }

    /// Whether the worker has asked Postgres for changes since the last one was committed.
    private func isReadUpToNow(_ site: Site) async throws -> Bool {
        try await site.connect().value(
            """
            SELECT bool_or(query_start > (SELECT max(at) FROM unstale.outbox)) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'unstale' AND query LIKE '%pg_current_snapshot()%'
            """) == "t"
    }
}
