import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct ClusterTargetTests {
    private func keys(_ count: Int, _ prefix: String) -> [Key] { (0..<count).map { Key("\(prefix):\($0)") } }

    private func set(_ keys: [Key], _ client: ClusterClient) async throws {
        for chunk in stride(from: 0, to: keys.count, by: 2_000).map({ keys[$0..<min($0 + 2_000, keys.count)] }) {
            _ = try await client.send(chunk.map { ($0.bytes, RedisCommand("SET", [$0.bytes, [49]])) })
        }
    }

    @Test func keysGoWhereverTheyAre() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let tagged = (0..<1000).map { Key("{tag}:\($0)") }
            let (stale, others) = (keys(5_000, "stale") + tagged, keys(500, "other"))
            try await set(stale + others, client)
            try await withTarget(RedisURL(cluster.url)) { (target, story) async throws in
                #expect(try await target.delete(stale, fenced: Set(tagged)).isEmpty)
                #expect(target.state == .connected && story.pauses == 0)
                #expect(story.identities.last?.server.contains("Cluster of 3 masters") == true)
                // A key that nobody can fence goes all the same, and that is told.
                let odd = Key("odd}key")
                try await self.set([odd], client)
                #expect(try await target.delete([odd], fenced: [odd]) == [Failure(key: odd, reason: Failure.braces)])
            }
            let left = Set(try await client.keys().map { Key(bytes: $0) })
            let fences = Set(tagged.map { Key("unstale:fence:" + $0.description) })
            #expect(left == Set(others).union(fences))
        }
    }

    @Test func byTLS() async throws {
        let authority = try await TestAuthority()
        try await RedisCluster.with(authority: authority) { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let (stale, others) = (keys(500, "stale"), keys(50, "other"))
            try await set(stale + others, client)
            // Whoever doesn't know the CA is told so.
            let untrusting = try RedisURL(String(cluster.url.prefix { $0 != "?" }))
            try await withTarget(untrusting) { (target, _) async throws in
                try await eventually("a pause with a reason") {
                    if case .paused(_, let reason) = target.state { reason.contains("no CA") } else { false }
                }
            }
            try await withSweeper(RedisURL(cluster.url)) { sweeper, target in
                #expect(try await target.delete(Array(stale.prefix(100))).isEmpty)
                #expect(try await sweeper.sweep([Pattern("stale:*")]).isEmpty)
                #expect(Set(try await client.keys().map { Key(bytes: $0) }) == Set(others))
                // A replica takes over.
                let master = try #require(try await cluster.roles().masters.first)
                try await master.kill9()
                try await self.set(stale, client)
                #expect(try await target.delete(stale).isEmpty)
                #expect(Set(try await client.keys().map { Key(bytes: $0) }).isDisjoint(with: stale))
            }
        }
    }

    @Test func aMovedSlotIsFollowedAndOneLookSetsTheMapRight() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            try await withTarget(RedisURL(cluster.url)) { (target, story) async throws in
                try await eventually("connections") { target.state == .connected }
                let keys = keys(200, "k")
                for key in keys.prefix(20) {
                    let slot = RedisSlot(of: key.bytes)
                    let source = try #require(try await cluster.master(of: slot))
                    let other = try #require(cluster.servers.prefix(3).first { $0.port != source.port })
                    try await cluster.move(slot, from: source, to: other)
                }
                try await self.set(keys, client)
                #expect(try await target.delete(keys).isEmpty)
                #expect(try await client.keys().isEmpty && story.pauses == 0)
            }
        }
    }

    @Test func aPatternsKeysGoFromAllMastersWhileSlotsMove() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            try await withSweeper(RedisURL(cluster.url), options: SweepOptions(share: 1)) { sweeper, _ in
                for round in 0..<2 {
                    let (stale, others) = (keys(20_000, "stale\(round)"), keys(100, "other"))
                    try await set(stale + others, client)
                    let slots = Set(stale.prefix(30).map { RedisSlot(of: $0.bytes) })
                    try await withThrowingTaskGroup { group in
                        group.addTask {
                            for slot in slots {
                                let source = try #require(try await cluster.master(of: slot))
                                let other = try #require(cluster.servers.prefix(3).first { $0.port != source.port })
                                try await cluster.move(slot, from: source, to: other)
                            }
                        }
                        for _ in 0..<3 {
                            let fresh = Key("stale\(round):fresh")
                            try await self.set([fresh], client)
                            #expect(try await sweeper.sweep([Pattern("stale\(round):*")]).isEmpty)
                            let left = Set(try await client.keys().map { Key(bytes: $0) })
                            #expect(left == Set(others), "\(left.subtracting(others).prefix(3))")
                        }
                        try await group.waitForAll()
                    }
                }
            }
        }
    }

    /// It is where it was when the pass began, and both servers were given another one meanwhile, which explains their epochs.
    @Test func aSlotThatWentThereAndBackIsReadOnceMore() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let stale = (0..<400).map { Key("{tag}:\($0)") }
            try await set(stale + keys(3_000, "other"), client)
            func slot(_ distance: Int) -> RedisSlot {
                RedisSlot((RedisSlot(of: stale[0].bytes).number + distance) % RedisSlot.count)
            }
            let source = try #require(try await cluster.master(of: slot(0)))
            let other = try #require(try await cluster.master(of: slot(6_000)))
            let slow = SweepOptions(share: 0.001, callLimit: .microseconds(20))
            try await withSweeper(RedisURL(cluster.url), options: slow) { sweeper, _ in
                async let sweep = sweeper.sweep([Pattern("{tag}:*")])
                try await eventually("some are found") { sweeper.statistics.keysMatched > 50 }
                let start = ContinuousClock.now
                try await cluster.move(slot(0), from: source, to: other)
                try await cluster.move(slot(1), from: source, to: other)
                for distance in 1...20 where distance == 1 || ContinuousClock.now - start < .milliseconds(500) {
                    try await cluster.move(slot(6_000 + distance), from: other, to: source)
                }
                try await cluster.move(slot(0), from: other, to: source)
                #expect(sweeper.statistics.passes == 0)
                #expect(try await sweep.isEmpty)
                let left = Set(try await client.keys().map { Key(bytes: $0) })
                #expect(left.isDisjoint(with: stale), "\(left.intersection(stale).count)")
            }
        }
    }

    /// A server that is new has slots before anybody hears of it.
    @Test func noPassCountsWithoutAMaster() async throws {
        try await RedisCluster.with { cluster in
            try await withTarget(RedisURL(cluster.url)) { (target, _) async throws in
                let servers = Servers(of: target.topology, target: "", options: target.options, logger: .quiet)
                try await withThrowingTaskGroup { group in
                    group.addTask { await servers.run() }
                    let members = try await servers.members()
                    let watch = SlotWatch(servers: servers)
                    #expect(try await watch.ownership(of: members)?.count == 3)
                    #expect(try await watch.ownership(of: Array(members.dropLast())) == nil)
                    group.cancelAll()
                }
            }
        }
    }

    /// Somebody has left off handing over a slot, so that each of two servers sends us to the other one.
    @Test func aStuckSlotIsNamed() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let (missing, stale) = (Key("{tag}:0"), (1..<20).map { Key("{tag}:\($0)") })
            let slot = RedisSlot(of: missing.bytes)
            try await set(stale, client)
            try await withSweeper(RedisURL(cluster.url)) { (sweeper, target) async throws in
                try await eventually("connections") { target.state == .connected }
                let source = try #require(try await cluster.master(of: slot))
                let other = try #require(cluster.servers.prefix(3).first { $0.port != source.port })
                let id = try await other.cli("cluster", "myid").prefix { !$0.isNewline }
                try await source.cli("cluster", "setslot", "\(slot.number)", "migrating", String(id))
                async let failures = target.delete([missing])
                try await eventually("a pause with a reason") {
                    guard case .paused(_, let reason) = target.state else { return false }
                    return reason.hasPrefix("slot \(slot.number) is stuck:") && reason.contains("\(other.port)")
                }
                // Patterns are served.
                #expect(try await sweeper.sweep([Pattern("{tag}:*")]).isEmpty)
                #expect(try await client.keys().isEmpty && target.state != .connected)
                try await source.cli("cluster", "setslot", "\(slot.number)", "stable")
                #expect(try await failures.isEmpty)
                try await eventually("recovery") { target.state == .connected }
            }
        }
    }

    @Test func aServerThatIsAwayIsNamed() async throws {
        try await RedisCluster.with { cluster in
            try await withTarget(RedisURL(cluster.url)) { (target, _) async throws in
                try await eventually("connections") { target.state == .connected }
                let victim = cluster.servers[1]
                try await victim.kill9()
                try await eventually("a pause with a reason") {
                    if case .paused(_, let reason) = target.state {
                        reason.contains("127.0.0.1:\(victim.port)")
                    } else {
                        false
                    }
                }
                // Its replica takes over.
                try await eventually("the Cluster again") { target.state == .connected }
                let keys = keys(300, "k")
                #expect(try await target.delete(keys).isEmpty)
            }
        }
    }
}
