import Redis
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Delivery

@Suite struct KeyIndexTests {
    @Test func deletesWhatMatchesAndNothingElse() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let old = (0..<5000).map { Key("resp:/users/\($0 % 100)?page=\($0)") }
            let canaries = [Key("resp:/users/7"), Key("resp:/Users/7?"), Key("other:/users/7?page=1"), Key("resp")]
            try await client.set(old + canaries)
            try await withIndex(server.url()) { index, sweep in
                #expect(index.status.keys == old.count + 2)
                let new = (0..<1000).map { Key("resp:/users/\($0 % 100)?new=\($0)") }
                try await client.set(new)
                let failures = try await sweep([Pattern("resp:/users/7\\?*"), Pattern("resp:/users/8\\?*")])
                #expect(failures == [])
                let all = Set(old + new + canaries)
                let meant = all.filter { ["resp:/users/7?", "resp:/users/8?"].contains($0.description.prefix(14)) }
                #expect(meant.count == 120)
                #expect(try await client.existing(Array(all)) == all.subtracting(meant))
                try await client.set([Key("resp:xunstale:fence:1")])
                #expect(try await sweep([Pattern("resp:*")]) == [])
                #expect(try await client.existing(old + new) == [])
                #expect(try await client.existing(canaries) == [canaries[2], canaries[3]])
                try await eventually("nothing but what is there") { index.status.keys == 0 }
            }
        }
    }

    /// What was written and acknowledged before a sweep is gone after it, whatever else is told at the same time.
    @Test func missesNothingThatWasWrittenJustBefore() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let noisy = try await Client(server.url())
            let noise = Task {
                var round = 0
                while !Task.isCancelled {
                    round += 1
                    let keys = (0..<200).map { Key("resp:noise:\(($0 + round) % 500)") }
                    let lifetime = [Array("PX".utf8), Array("20".utf8)]
                    var commands = keys.map { RedisCommand("SET", [$0.bytes, [49]] + lifetime) }
                    commands.append(RedisCommand("UNLINK", keys.prefix(100).map(\.bytes)))
                    _ = try await noisy.pipeline(commands)
                }
            }
            try await withIndex(server.url()) { index, sweep in
                for round in 0..<300 {
                    let keys = (0..<(round % 10 + 1)).map { Key("resp:\(round):\($0)") }
                    try await client.set(keys)
                    #expect(try await sweep([Pattern("resp:\(round):*")]) == [], "round \(round)")
                    #expect(try await client.existing(keys) == [], "round \(round)")
                }
                noise.cancel()
                _ = await noise.result
                try await eventually("nothing but what is there") { index.status.keys == 0 }
            }
        }
    }

    /// Whichever connection the server ends, and whenever: a sweep that says that it missed nothing did not.
    @Test(arguments: ["pubsub", "normal"]) func doubtsWhatItKnowsWhenAConnectionIsLost(type: String) async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<2000).map { Key("resp:old:\($0)") }
            try await client.set(keys)
            try await withIndex(server.url()) { index, sweep in
                var doubts = 0
                for round in 1...10 {
                    let key = Key("resp:new:\(round)")
                    let kill = RedisCommand("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes")
                    // One after the other, and in one piece: nobody hears of the end before the key is there.
                    let replies = try await client.pipeline([kill, RedisCommand("SET", [key.bytes, [49]])])
                    #expect(replies.last == .simpleString("OK"))
                    if try await sweep([Pattern("resp:new:*")]) == nil {
                        doubts += 1
                    } else {
                        #expect(try await client.existing([key]) == [], "round \(round)")
                    }
                    try await eventually("an index") {
                        index.status.state == .ready && index.status.fills == 1 + doubts
                    }
                }
                #expect(doubts == 10)
                #expect(try await sweep([Pattern("resp:*")]) == [])
                #expect(try await client.existing(keys) == [])
            }
        }
    }

    @Test(arguments: ["FLUSHALL", "FLUSHDB"]) func readsAnewAfterAFlush(command: String) async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set((0..<1000).map { Key("resp:\($0)") })
            try await withIndex(server.url()) { index, sweep in
                let flush = command == "FLUSHALL" ? RedisCommand("FLUSHALL") : RedisCommand("FLUSHDB")
                _ = try await client.pipeline([flush, RedisCommand("SET", "resp:new", "1")])
                #expect(try await sweep([Pattern("resp:n*")]) == nil)
                try await eventually("an index") { index.status.state == .ready }
                #expect(index.status.keys == 1 && index.status.fills == 2)
                #expect(try await sweep([Pattern("resp:n*")]) == [])
                #expect(try await client.existing([Key("resp:new")]) == [])
            }
        }
    }

    /// What a replica takes from its master is told to nobody, key by key.
    @Test func readsAnewWhenAReplicaHasTakenItsMastersData() async throws {
        try await RedisServer.with { master in
            try await Client(master.url()).set((0..<1000).map { Key("resp:master:\($0)") })
            try await RedisServer.with { server in
                let client = try await Client(server.url())
                try await client.set([Key("resp:own")])
                try await withIndex(server.url()) { index, sweep in
                    try await server.cli("REPLICAOF", "127.0.0.1", "\(master.port)")
                    try await eventually("the master's data") {
                        try await client.send(RedisCommand("DBSIZE")) == .integer(1000)
                    }
                    try await server.cli("REPLICAOF", "NO", "ONE")
                    try await eventually("an index of the new data") {
                        index.status.state == .ready && index.status.keys >= 1000
                    }
                    #expect(try await sweep([Pattern("resp:*")]) == [])
                    #expect(try await client.send(RedisCommand("DBSIZE")) == .integer(0))
                }
            }
        }
    }

    @Test func doesWithoutWhatTakesTooMuchMemory() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set((0..<1000).map { Key("resp:\($0)") })
            try await withIndex(server.url(), memoryLimit: 100_000) { index, sweep in
                #expect(try await sweep([Pattern("resp:1*")]) == [])
                try await client.set((0..<10_000).map { Key("resp:more:\($0)") })
                try await eventually("an end") { index.status.state == .off }
                #expect(try await sweep([Pattern("resp:1*")]) == nil)
                #expect(index.status.reason?.contains("memory") == true && index.status.bytes < 100_000)
            }
        }
    }

    @Test func isMadeAnewAfterACrashAndDoubtsAServerThatStandsStill() async throws {
        try await RedisServer.with { server in
            let options = TargetOptions(deadline: .milliseconds(500))
            try await Client(server.url()).set([Key("resp:1")])
            try await withIndex(server.url(), options: options) { index, sweep in
                try server.pause()
                #expect(try await sweep([Pattern("resp:1*")]) == nil)
                try server.resume()
                try await eventually("an index") { index.status.state == .ready }
                try await server.kill9()
                #expect(try await sweep([Pattern("resp:1*")]) == nil)
                try await eventually("a reason") { index.status.reason?.contains("connect") == true }
                try await server.start()
                try await Client(server.url()).set([Key("resp:2")])
                try await eventually("an index") { index.status.state == .ready && index.status.keys == 1 }
                #expect(try await sweep([Pattern("resp:*")]) == [])
                #expect(try await Client(server.url()).existing([Key("resp:2")]) == [])
            }
        }
    }

    @Test func renewsFencesBeforeItLooksForKeys() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await withIndex(server.url()) { index, sweep in
                let key = Key("resp:{1}:x")
                for round in 0..<50 {
                    var reader = FencedReader(key)
                    for step in [FencedReader.Step.look, .takeToken, .load] {
                        try await reader.perform(step, database: 1, client)
                    }
                    if round.isMultiple(of: 2) { try await reader.perform(.store, database: 1, client) }
                    #expect(try await sweep([Pattern("resp:*")], fenced: [Pattern("resp:*")]) == [])
                    if !round.isMultiple(of: 2) { try await reader.perform(.store, database: 1, client) }
                    #expect(reader.hasStored == round.isMultiple(of: 2))
                    #expect(try await client.existing([key]) == [])
                }
            }
        }
    }

    @Test func theSweeperLooksUpWhatItCanAndScansForTheRest() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set((0..<1000).map { Key("resp:\($0)") } + (0..<1000).map { Key("other:\($0)") })
            let options = TargetOptions(index: KeyIndexOptions(prefixes: ["resp:"]))
            try await withSweeper(server.url(), options: SweepOptions(share: 1), target: options) { sweeper, _ in
                try await eventually("an index") { sweeper.indexStatus?.state == .ready }
                #expect(try await sweeper.sweep([Pattern("resp:1*")]).isEmpty)
                #expect(sweeper.statistics.keysMatched == 111 && sweeper.statistics.keysScanned == 0)
                #expect(try await sweeper.sweep([Pattern("resp:2*"), Pattern("other:2*")]).isEmpty)
                #expect(sweeper.statistics.keysMatched == 333 && sweeper.statistics.passes == 1)
                #expect(try await client.send(RedisCommand("DBSIZE")) == .integer(2000 - 333))
                try await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "pubsub"))
                #expect(try await sweeper.sweep([Pattern("resp:*")]).isEmpty)
                #expect(try await client.send(RedisCommand("DBSIZE")) == .integer(889))
                let status = try #require(sweeper.indexStatus)
                #expect(status.lookups == 2 && status.fallbacks == 1)
            }
        }
    }

    @Test func aClusterHasAnIndexForEachOfItsMasters() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let options = TargetOptions(index: KeyIndexOptions(prefixes: ["resp:"]))
            let unpaced = SweepOptions(share: 1)
            try await withSweeper(RedisURL(cluster.url), options: unpaced, target: options) { sweeper, _ in
                try await eventually("an index") { sweeper.indexStatus?.state == .ready }
                for round in 0..<30 {
                    let keys = (0..<100).map { Key("resp:\(round):\($0)") }
                    _ = try await client.send(keys.map { ($0.bytes, RedisCommand("SET", [$0.bytes, [49]])) })
                    #expect(try await sweeper.sweep([Pattern("resp:\(round):*")]).isEmpty)
                    let left = try await client.send(keys.map { ($0.bytes, RedisCommand("EXISTS", [$0.bytes])) })
                    #expect(left.allSatisfy { $0 == .integer(0) })
                }
                let status = try #require(sweeper.indexStatus)
                #expect(status.lookups == 30 && status.fallbacks == 0 && sweeper.statistics.keysScanned == 0)
            }
        }
    }

    /// It has arrived, and is looked for, before its slot is there.
    @Test func aKeyThatMovesIsNotLost() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let options = TargetOptions(index: KeyIndexOptions(prefixes: ["resp:"]))
            try await withSweeper(RedisURL(cluster.url), target: options) { sweeper, _ in
                try await eventually("an index") { sweeper.indexStatus?.state == .ready }
                let key = Key("resp:moving")
                _ = try await client.send([(key.bytes, RedisCommand("SET", [key.bytes, [49]]))])
                let slot = RedisSlot(of: key.bytes)
                let source = try #require(try await cluster.master(of: slot))
                let other = try #require(cluster.servers.prefix(3).first { $0.port != source.port })
                try await cluster.move(slot, from: source, to: other) {
                    try await eventually("a look") {
                        try await other.cli("info", "commandstats").contains("cmdstat_exists")
                    }
                }
                try await eventually("nothing but what is there") {
                    sweeper.indexStatus?.keys == 1 && sweeper.indexStatus?.unverifiedKeys == 0
                }
                try await eventually("the slot at its new place") {
                    _ = try await sweeper.sweep([Pattern("resp:none*")])
                    return sweeper.indexStatus?.lookups ?? 0 > 0
                }
                let before = try #require(sweeper.indexStatus)
                #expect(try await sweeper.sweep([Pattern("resp:mov*")]).isEmpty)
                #expect(try await client.keys().isEmpty)
                #expect(sweeper.indexStatus?.lookups == before.lookups + 1)
            }
        }
    }

    @Test func coversPatternsThatBeginWithAPrefix() {
        let prefixes = IndexPrefixes(["resp:", "a*"])
        for (pattern, isCovered) in [
            ("resp:*", true), ("resp:x", true), ("res*", false), ("other:*", false), ("a\\*?", true), ("a*", false),
        ] {
            #expect(prefixes.cover(Pattern(pattern)) == isCovered, "\(pattern)")
        }
        let keys = RedisStrings(
            ["resp:1", "res", "a*b", "ab", "unstale:fence:resp:1", "unstale:fence:x"].map { Array($0.utf8) })
        let own = prefixes.own(keys).map { String(decoding: $0, as: UTF8.self) }
        #expect(own == ["resp:1", "a*b", "unstale:fence:resp:1"])
    }

    @Test func prefixesDoNotOverlap() {
        #expect(IndexPrefixes(["unstale:", "u", "b"]).tracked == ["b", "u"].map { Array($0.utf8) })
        let fences = ["b", "unstale:fence:b", "unstale:fence:{b"]
        #expect(IndexPrefixes(["b"]).tracked == fences.map { Array($0.utf8) })
    }

    /// Lends an index of `resp:` that is complete.
    private func withIndex(
        _ url: RedisURL, options: TargetOptions = .init(), memoryLimit: Int = 1 << 26,
        _ body: (KeyIndex, IndexSweeper) async throws -> Void
    ) async throws {
        try await withTarget(url, options: options) { target, _ in
            let options = KeyIndexOptions(prefixes: ["resp:"], memoryLimit: memoryLimit)
            let prefixes = IndexPrefixes(options.prefixes)
            let index = KeyIndex(options, prefixes: prefixes, of: target, logger: .quiet) {
                options throws(RedisError) in
                try await RedisConnection.connect(to: url, options: options)
            }
            try await withThrowingTaskGroup { group in
                group.addTask { await index.run() }
                try await eventually("an index") { index.status.state == .ready }
                try await body(index, IndexSweeper(target: target, index: index))
                group.cancelAll()
            }
            #expect(index.status.state == .off)
        }
    }
}

/// Sweeps by what an index knows.
struct IndexSweeper {
    let target: Target
    let index: KeyIndex

    /// Nil where it was in doubt.
    func callAsFunction(_ patterns: [Pattern], fenced: Set<Pattern> = []) async throws -> [Failure]? {
        let sweep = IndexedSweep(of: target, in: [index], share: 1)
        return try await sweep?.run(SweepFilter(patterns, fenced: fenced, companions: target.companions))?.failures
    }
}
