import Postgres
import Redis
import Rules
import TestSupport
import Testing

/// A Redis that is away, stands still or refuses us is waited for: nothing is dead-lettered, and everything is
/// delivered when it is back.
@Suite struct OutageTests {
    /// For 30 s, with more changes than may be in flight.
    @Test func unreachable() async throws {
        try await Site.withProxiedUsers { site, proxy in
            let users = 60_000
            let application = try await site.connect()
            try await application.sql("INSERT INTO users SELECT generate_series(201, \(users))")
            try await site.withWorker { worker in
                try await site.waitUntilServed()
                let keys = (1...users).map { Key("user:\($0)") }
                try await site.cache().set(Dictionary(keys.map { ($0, "cached") }) { $1 })
                proxy.fault = .refuse
                proxy.cut()
                let start = ContinuousClock.now
                for part in 0..<4 {
                    try await application.sql("UPDATE users SET name = 'new' WHERE id::int % 5 = \(part)")
                }
                while .now - start < .seconds(30) {
                    try await eventually("paused") {
                        try await isPaused(site, because: "connecting to redis")
                    }
                    try await expectNoLetters(site)
                    try await Task.sleep(for: .seconds(1))
                }
                #expect(worker.count("Redis is waited for") <= 2, "once for each of its two connections")
                proxy.fault = .none
                try await site.waitUntilServed(within: .seconds(30))
                let left = try await site.cache().entries().keys
                #expect(
                    Set(left) == Set(keys.enumerated().filter { ($0.offset + 1) % 5 == 4 }.map(\.element)))
                try await expectNoLetters(site)
                #expect(try await site.status().targets.first?.pausedReason == nil)
            }
        }
    }

    @Test func standsStill() async throws {
        try await Site.withUsers { site, redis in
            try await site.withWorker { worker in
                try redis.pause()
                try await site.change(1...100)
                try await eventually("paused") { try await isPaused(site, because: "no answer") }
                try await site.change(101...150)
                try await expectNoLetters(site)
                try redis.resume()
                try await site.waitUntilGone(1...150)
                try await site.expectUntouched(151...200)
                try await expectNoLetters(site)
                #expect(worker.count("replaying the window") == 0)
            }
        }
    }

    @Test func becomesAReplica() async throws {
        try await RedisServer.with { master in
            try await Site.withUsers { site, redis in
                try await site.withWorker { worker in
                    try await site.change(1...50)
                    try await site.waitUntilGone(1...50)
                    // The master has what the replica had before those changes.
                    let other = try await Cache(master.url())
                    for user in 1...200 { try await other.set("user:\(user)") }
                    try await redis.cli("replicaof", "127.0.0.1", "\(master.port)")
                    try await eventually("replicated") { try await site.cache().has("user:1") }
                    try await site.change(51...100)
                    try await eventually("paused") { try await isPaused(site, because: "READONLY") }
                    try await expectNoLetters(site)
                    #expect(try await site.cache().has("user:51"))
                    try await redis.cli("replicaof", "no", "one")
                    // Those that were deleted before the failover came back by it.
                    try await site.waitUntilGone(1...100)
                    try await site.expectUntouched(101...200)
                    try await expectNoLetters(site)
                    #expect(worker.count("replaying the window") >= 1)
                }
            }
        }
    }

    /// It was never there when the worker started.
    @Test func comesLate() async throws {
        try await Site.withUsers { site, redis in
            try await redis.cli("save")
            try await redis.kill9()
            try await site.withWorker { _ in
                try await site.change(1...50)
                try await eventually("paused") { try await isPaused(site, because: "connecting to redis") }
                try await redis.start()
                try await site.waitUntilGone(1...50)
                try await site.expectUntouched(51...200)
            }
        }
    }

    /// It comes back from a dump that is older than deletes which it had acknowledged.
    @Test func comesBackWithOlderData() async throws {
        try await Site.withUsers { site, redis in
            try await site.withWorker { _ in
                try await redis.cli("save")
                try await site.change(1...50)
                try await site.waitUntilGone(1...50)
                try await site.waitUntilServed()
                try await redis.kill9()
                try await redis.start()
                let back = ContinuousClock.now
                try await site.waitUntilGone(1...50)
                #expect(.now - back < .seconds(2))
                try await site.expectUntouched(51...200)
            }
        }
    }

    private func isPaused(_ site: Site, because reason: String) async throws -> Bool {
        try await site.status().targets.first?.pausedReason?.contains(reason) == true
    }

    private func expectNoLetters(_ site: Site) async throws {
        let target = try await site.status().targets.first
        #expect(target?.retrying == 0 && target?.deadLetters == 0)
    }

    /// Whichever of the worker's connections to Postgres ends, all that waits is served by the next session.
    @Test func eachConnectionMayEnd() async throws {
        let rules =
            Users.rules + """

                  - name: found
                    table: users
                    lookup: select id as found from users where id = :id
                    delete: {keys: ["found:{found}"]}
                """
        try await Site.with(rules: rules, schema: Users.schema) { site, _ in
            let application = try await site.connect()
            let own = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'unstale'"
            try await site.withWorker { _ in
                try await site.change(200...200)
                try await site.waitUntilServed()
                let count = try #require(try await Int(application.value("SELECT count(*) \(own)") ?? ""))
                #expect(count >= 4)
                for number in 0..<count {
                    var pids: [Int] = []
                    try await eventually("all connections") {
                        pids = try await application.sql("SELECT pid \(own) ORDER BY backend_start").compactMap {
                            $0.int(0)
                        }
                        return pids.count == count
                    }
                    let key = "\(number + 1)"
                    try await site.cache().set("user:\(key)", "found:\(key)")
                    try await application.sql("SELECT pg_terminate_backend(\(pids[number]))")
                    try await site.change(number + 1...number + 1)
                    for name in ["user", "found"] { try await site.wait(for: "\(name):\(key)", toBe: nil) }
                }
            }
        }
    }
}
