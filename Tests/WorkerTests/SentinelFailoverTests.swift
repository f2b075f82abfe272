import TestSupport
import Testing

/// Whatever the old master acknowledged and took with it: every committed change's key is gone, nothing else is.
@Suite struct SentinelFailoverTests {
    private func withShop(_ body: (Site, SentinelSite, Program) async throws -> Void) async throws {
        try await SentinelSite.with { redis in
            try await TestDatabase.with { database in
                let site = try await Site.shop(database: database.url, redis: redis.url())
                try await site.withWorker { worker in try await body(site, redis, worker) }
            }
        }
    }

    /// It is killed when the replica has long been cut off from it.
    @Test func masterIsKilled() async throws {
        var random = SeededGenerator()
        try await withShop { site, redis, worker in
            let (master, replica) = (redis.servers[0], redis.servers[1])
            var oracle = Oracle(site)
            try await oracle.fill()
            try await redis.waitUntilReplicated(from: master, to: replica)
            try await Load.with(site, seed: random.next()) { load in
                try await load.wait(for: .random(in: 10...700, using: &random))
                try await master.cli("ACL", "SETUSER", "replica", "off")
                try await master.cli("CLIENT", "KILL", "TYPE", "replica")
                try await load.wait(for: 1_000)
                try await master.kill9()
                try await redis.wait(forMaster: replica)
                try await worker.wait(for: "replaying the window", within: .seconds(60))
                try await load.wait(for: 500)
            }
            try await site.waitUntilServed()
            try await oracle.check(losses: .replayed)
            #expect(worker.count("replaying the window") == 1)
            #expect(worker.count("Redis is back") <= 2, "one pause for each of its two connections")
        }
    }

    /// Four times, by order, so that the old master lives and is written to until it hears of it.
    @Test func switchesByOrder() async throws {
        var random = SeededGenerator()
        try await withShop { site, redis, worker in
            var oracle = Oracle(site)
            try await oracle.fill()
            try await Load.with(site, seed: random.next()) { load in
                for round in 1...4 {
                    let (old, new) = (redis.servers[(round + 1) % 2], redis.servers[round % 2])
                    try await load.wait(for: .random(in: 10...700, using: &random))
                    try await redis.waitUntilReplica(new, of: old)
                    try await eventually(within: .seconds(60), "a failover") {
                        try await redis.sentinels[round % 3].cli("sentinel", "failover", SentinelSite.name) == "OK\n"
                    }
                    try await redis.wait(forMaster: new)
                    try await worker.wait(for: "replaying the window", count: round, within: .seconds(60))
                }
                try await load.wait(for: 500)
            }
            try await site.waitUntilServed()
            try await oracle.check(losses: .replayed)
        }
    }
}
