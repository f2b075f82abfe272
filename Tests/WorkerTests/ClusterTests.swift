import Redis
import Synchronization
import TestSupport
import Testing

/// A Redis Cluster, whatever happens to it: every committed change's key is gone, nothing else is.
@Suite struct ClusterTests {
    /// Lends a site with the tables of ``Shop``, and a Cluster.
    private func withShop(_ body: (Site, RedisCluster) async throws -> Void) async throws {
        try await RedisCluster.with { cluster in
            try await TestDatabase.with { database in
                try await body(try await Site.shop(database: database.url, redis: cluster.url), cluster)
            }
        }
    }

    /// Slots that have keys are handed over all the time, among them those that patterns and fences are about.
    @Test(arguments: [false, true]) func slotsMoveAllTheTime(isFenced: Bool) async throws {
        var random = SeededGenerator()
        try await withShop { site, cluster in
            try await site.withWorker(isFenced ? ["--fence"] : []) { worker in
                var oracle = Oracle(site)
                try await oracle.fill()
                let moves = Counting()
                try await Load.with(site, seed: random.next()) { load in
                    try await Self.whileSlotsMove(cluster, seed: random.next(), counting: moves) {
                        try await load.wait(for: 4_000, within: .seconds(240))
                        try await eventually(within: .seconds(60), "slots that move") { moves.count > 30 }
                    }
                }
                try await site.waitUntilServed(within: .seconds(120))
                try await oracle.check()
                #expect(worker.count("replaying the window") == 0)
            }
        }
    }

    /// Two at a time; the last ones are finished afterwards.
    private static func whileSlotsMove(
        _ cluster: RedisCluster, seed: UInt64, counting moves: Counting, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Void
    ) async throws {
        let movers = [seed & ~1, seed | 1].map { seed in
            Task { try await moveSlots(cluster, seed: seed, counting: moves) }
        }
        func end() async {
            for mover in movers { mover.cancel() }
            for mover in movers { _ = await mover.result }
        }
        do {
            try await body()
            await end()
        } catch {
            await end()
            throw error
        }
    }

    /// One after another, until it is cancelled.
    private static func moveSlots(_ cluster: RedisCluster, seed: UInt64, counting moves: Counting) async throws {
        var random = SeededGenerator(seed: seed)
        let masters = Array(cluster.servers.prefix(3))
        while !Task.isCancelled {
            // Each of the two moves every other slot, so that they don't move the same one.
            let slot = RedisSlot(Int.random(in: 0..<RedisSlot.count / 2, using: &random) * 2 + Int(seed & 1))
            let name = ["resp:/catalog/c3?page=1", "unstale:fence:{resp:/catalog/c3?page=1}", "person:p1", "item:i1"]
                .randomElement(using: &random)!
            let chosen = Int.random(in: 0..<3, using: &random) == 0 ? RedisSlot(of: Array(name.utf8)) : slot
            guard chosen.number % 2 == Int(seed & 1), let source = try await cluster.master(of: chosen),
                let destination = masters.filter({ $0.port != source.port }).randomElement(using: &random)
            else { continue }
            try await Task { try await cluster.move(chosen, from: source, to: destination) }.value
            moves.increment()
        }
    }

    /// What is loaded anew while slots move is fresh or gone.
    @Test func entriesAreLoadedWhileSlotsMove() async throws {
        var random = SeededGenerator()
        try await RedisCluster.with { cluster in
            try await TestDatabase.with { database in
                let site = try Site(database: database.url, redis: cluster.url, rules: Items.rules)
                try await site.prepare(Items.schema)
                try await site.cacheItems()
                let seed = random.next()
                try await site.withWorker { _ in try await Self.load(site, cluster, seed: seed) }
            }
        }
    }

    private static func load(_ site: Site, _ cluster: RedisCluster, seed: UInt64) async throws {
        let application = try await site.connect()
        let changes = Task {
            for price in 2...150 {
                try await application.sql("UPDATE items SET price = \(price) WHERE id % 5 = \(price % 5)")
            }
        }
        try await whileSlotsMove(cluster, seed: seed, counting: Counting()) { try await changes.value }
        try await site.waitUntilServed()
        let rows = try await application.sql("SELECT 'item:' || id, to_json(i) FROM items AS i").entries
        let cached = try await site.cache().entries().filter { $0.key.description.hasPrefix("item:") }
        #expect(cached.allSatisfy { rows[$0.key] == $0.value })
        #expect(cached.count > 50 && cached.count <= 100)
    }

    /// Replicas take over, at somebody's word and because a master is killed. The deletes that it had acknowledged and
    /// not passed on are undone by that.
    @Test func mastersFailOver() async throws {
        var random = SeededGenerator()
        try await withShop { site, cluster in
            try await site.withWorker { worker in
                var oracle = Oracle(site)
                try await oracle.fill()
                try await Load.with(site, seed: random.next()) { load in
                    try await load.wait(for: 300)
                    let replica = try #require(try await cluster.roles().replicas.randomElement(using: &random))
                    try await replica.cli("cluster", "failover")
                    try await worker.wait(for: "replaying the window", within: .seconds(60))
                    try await load.wait(for: 300)
                    let victim = try #require(try await cluster.roles().masters.randomElement(using: &random))
                    try await victim.kill9()
                    try await worker.wait(for: "replaying the window", count: 2, within: .seconds(60))
                    try await load.wait(for: 300, within: .seconds(60))
                    try await victim.start()
                    try await load.wait(for: 300, within: .seconds(60))
                }
                try await site.waitUntilServed(within: .seconds(120))
                try await oracle.check(losses: .everything)
            }
        }
    }
}

/// Counts what several tasks do.
private final class Counting: Sendable {
    private let number = Mutex(0)

    var count: Int { number.withLock { $0 } }

    func increment() { number.withLock { $0 += 1 } }
}
