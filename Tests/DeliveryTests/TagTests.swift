import Redis
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Delivery

@Suite struct TagTests {
    private static let unpaced = SweepOptions(share: 1)
    /// Redis keeps all that it has acknowledged.
    private static let log = ["--appendonly", "yes", "--appendfsync", "always"]

    /// The emptying of tags, and what happens when it comes to the keys with these numbers, before it deletes them: so
    /// they are sure to be under way then, however fast Redis is.
    private final class Way: Sendable {
        private let count = Atomic(0)
        private let passed = Atomic(0)
        private let stations: [Int: @Sendable () throws -> Void]

        init(_ stations: [Int: @Sendable () throws -> Void]) { self.stations = stations }

        func hasPassed(_ station: Int) -> Bool { passed.load(ordering: .acquiring) >= station }

        func empty(_ tags: [String], _ target: Target) async throws -> Tags.Outcome {
            try await Tags(target, options: TagTests.unpaced).empty(tags.map { Key($0) }) { _, _ in
                let number = count.add(1, ordering: .relaxed).newValue
                #expect(throws: Never.self) { try stations[number]?() }
                passed.store(number, ordering: .releasing)
                return false
            }
        }
    }

    @Test func whatIsFiledGoesAndNothingElse() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let odd = [Key(bytes: [0, 255, 10]), Key("a b"), Key("é")]
            let large = (0..<5_000).map { Key("large:\($0)") }
            let small = (0..<250).map { [Key("small:\($0)"), Key("shared")] }
            try await client.set(odd + large + small.joined() + [Key("other"), Key("large:x")])
            try await client.file(odd, under: "odd")
            try await client.file(large, under: "large")
            for (number, keys) in small.enumerated() { try await client.file(keys, under: "small\(number)") }
            try await client.file([Key("other")], under: "other-tag")
            try await withTarget(server.url()) { target, _ in
                let tags = ["odd", "large", "none"].map { Key($0) } + (0..<250).map { Key("small\($0)") }
                let outcome = try await Tags(target, options: Self.unpaced).empty(tags) { _, _ in false }
                #expect(outcome.failedTags.isEmpty && outcome.failedKeys.isEmpty)
                #expect(outcome.deleted[Key("odd")] == 3 && outcome.deleted[Key("small7")] == 2)
                #expect(try await client.names() == ["large:x", "other", "other-tag"])
            }
        }
    }

    /// Somebody's value under the tag's name stays.
    @Test func whatIsNoSetIsLeftAlone() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set([Key("a"), Key("b")])
            try await client.file([Key("b")], under: "tag")
            try await withTarget(server.url()) { target, _ in
                let outcome = try await Tags(target, options: Self.unpaced).empty([Key("a"), Key("tag")]) { _, _ in
                    false
                }
                #expect(outcome.failedTags.map(\.key) == [Key("a")])
                #expect(outcome.failedTags.first?.summary == "WRONGTYPE")
                #expect(try await client.names() == ["a"])
            }
        }
    }

    /// Who comes after a crash finds what was taken, under its name.
    @Test func whatWasTakenBeforeIsFound() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let old = (0..<20_000).map { Key("old:\($0)") }
            try await client.set(old)
            try await client.file(old, under: "tag")
            try await client.send(RedisCommand("PEXPIRE", "tag", "30000"))
            try await withTarget(server.url()) { target, _ in
                let way = Way([1_000: { target.hold(true) }])
                let emptying = Task { try await way.empty(["tag"], target) }
                try await eventually("some are gone") { target.isHeld }
                emptying.cancel()
                await #expect(throws: CancellationError.self) { try await emptying.value }
                target.hold(false)
                #expect(try await client.existing(old).count < old.count)
                #expect(try await client.send(RedisCommand("TTL", "unstale:tag:tag")) == .integer(-1))
                #expect(try await client.send(RedisCommand("EXISTS", "tag")) == .integer(0))
                let new = [Key("new")]
                try await client.set(new)
                try await client.file(new, under: "tag")
                _ = try await Tags(target, options: Self.unpaced).empty([Key("tag")]) { _, _ in false }
                #expect(try await client.names() == [])
            }
        }
    }

    @Test func aSmallTagDoesNotWaitForALargeOne() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.file((0..<20_000).map { Key("key:\($0)") }, under: "large")
            try await client.file([Key("key")], under: "small")
            try await withTarget(server.url()) { target, _ in
                let way = Way([1_000: { target.hold(true) }])
                let emptying = Task { try await way.empty(["large", "small"], target) }
                try await eventually("the large one is left") {
                    try await client.names() == ["unstale:tag-token:large", "unstale:tag:large"]
                }
                emptying.cancel()
                _ = await emptying.result
            }
        }
    }

    /// One that was stopped for a while, and the set that it has read is not the one that is there.
    @Test func whoIsLateRemovesNothing() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await withTarget(server.url()) { target, _ in
                var workers = (0..<3).map { number in
                    TagProgress(Key("tag"), ownToken: Array("token\(number)".utf8), companions: target.companions)
                }
                func send(_ group: CommandGroup) async throws -> Answer {
                    var retries = target.retries()
                    let answers = try await target.attempt([group], &retries)
                    return try #require(answers[0])
                }
                try await client.file([Key("a")], under: "tag")
                for number in 0..<2 {
                    let answer = try await send(workers[number].take())
                    let page = workers[number].took(answer)
                    #expect(page?.keys.count == 1)
                }
                #expect(try await send(workers[1].finish).replies == [.integer(1)])
                try await client.file([Key("b")], under: "tag")
                let answer = try await send(workers[2].take())
                let page = workers[2].took(answer)
                #expect(page?.keys.count == 1)
                #expect(try await send(workers[0].finish).replies == [.integer(0)])
                #expect(try await client.names() == ["unstale:tag-token:tag", "unstale:tag:tag"])
                #expect(try await send(workers[2].finish).replies == [.integer(1)])
                #expect(try await client.names() == [])
            }
        }
    }

    /// After a restart it is another process that answers.
    @Test func whatHasAPlaceIsDoneNowhereElse() async throws {
        try await RedisServer.with(Self.log) { server in
            try await withTarget(server.url()) { target, _ in
                var retries = target.retries()
                let free = CommandGroup(key: Key("a"), commands: [RedisCommand("INCR", "a")])
                let first = try await target.attempt([free], &retries)[0]
                var placed = free
                placed.place = try #require(first?.place)
                let second = try await target.attempt([placed], &retries)[0]
                #expect(second?.replies == [.integer(2)] && second?.place == first?.place)
                try await server.kill9()
                try await server.start()
                // The first finds out that the connection is lost, unless that is known already.
                let third = try await target.attempt([placed, free, placed], &retries)
                let fourth = try await target.attempt([placed, free, placed], &retries)
                #expect(third[0] == nil && third[2] == nil && fourth[0] == nil && fourth[2] == nil)
                #expect(fourth[1]?.replies == [.integer(third[1] == nil ? 3 : 4)])
                #expect(fourth[1]?.place != first?.place)
            }
        }
    }

    /// Its next process orders sets in another way, and may have again what the last one had deleted.
    @Test(arguments: [true, false]) func nothingIsMissedWhereRedisStartsAgain(losesNothing: Bool) async throws {
        try await RedisServer.with(losesNothing ? Self.log : []) { server in
            let keys = (0..<2_000).map { Key("key:\($0)") }
            let client = try await Client(server.url())
            try await client.set(keys)
            try await client.file(keys, under: "tag")
            try await withTarget(server.url()) { target, _ in
                let way = Way([400: { target.hold(true) }, 1_000: { try server.pause() }])
                let emptying = Task { try await way.empty(["tag"], target) }
                try await eventually("some are gone") { target.isHeld }
                if !losesNothing { #expect(try await client.send(RedisCommand("SAVE")).text == "OK") }
                target.hold(false)
                try await eventually("Redis stands still with a deletion under way") { way.hasPassed(1_000) }
                target.hold(true)
                try await server.kill9()
                try await server.start()
                try await eventually("they are loaded") {
                    try await Client(server.url()).existing(keys).count > (losesNothing ? 0 : 1_000)
                }
                target.hold(false)
                #expect(try await emptying.value.failedTags.isEmpty)
                #expect(try await Client(server.url()).names() == [])
            }
        }
    }

    @Test func nothingIsMissedWhereTheSlotMoves() async throws {
        try await RedisCluster.with { cluster in
            let client = try ClusterClient(RedisURL(cluster.url))
            let tag = Key("tag")
            let keys = (0..<2_000).map { Key("key:\($0)") }
            _ = try await client.send(keys.map { ($0.bytes, RedisCommand("SET", [$0.bytes, [49]])) })
            _ = try await client.send([(tag.bytes, RedisCommand("SADD", [tag.bytes] + keys.map(\.bytes)))])
            try await withTarget(RedisURL(cluster.url)) { target, _ in
                let way = Way([1_000: { target.hold(true) }])
                let emptying = Task { try await way.empty(["tag"], target) }
                try await eventually("half of them are gone") { target.isHeld }
                let slot = RedisSlot(of: tag.bytes)
                let source = try #require(try await cluster.master(of: slot))
                let other = try #require(cluster.servers.prefix(3).first { $0.port != source.port })
                async let move: Void = cluster.move(slot, from: source, to: other)
                target.hold(false)
                try await move
                #expect(try await emptying.value.failedTags.isEmpty)
                #expect(try await client.keys() == [])
            }
        }
    }

    @Test func fullMemoryStopsNothing() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<1_000).map { Key("key:\($0)") }
            try await client.set(keys)
            try await client.file(keys, under: "tag")
            try await client.file(keys, under: "left")
            try await client.send(RedisCommand("RENAME", "left", "unstale:tag:left"))
            try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            try await withTarget(server.url()) { target, _ in
                let tags = [Key("tag"), Key("left")]
                let outcome = try await Tags(target, options: Self.unpaced).empty(tags) { _, _ in true }
                #expect(outcome.failedTags.isEmpty && outcome.failedKeys.isEmpty)
                #expect(try await client.names() == [])
            }
        }
    }

    @Test func aRightThatAScriptLacksIsWaitedFor() async throws {
        try await RedisServer.with(["--user", "app", "on", ">secret", "~*", "+@all", "-rename"]) { server in
            let client = try await Client(server.url())
            try await client.set([Key("key")])
            try await client.file([Key("key")], under: "tag")
            try await withTarget(server.url(login: "app:secret@")) { target, _ in
                async let outcome = Tags(target, options: Self.unpaced).empty([Key("tag")]) { _, _ in false }
                try await eventually("a pause") { if case .paused = target.state { true } else { false } }
                try await server.cli("ACL", "SETUSER", "app", "+rename")
                #expect(try await outcome.failedTags.isEmpty)
                #expect(try await client.names() == [])
            }
        }
    }

    /// A set of a million keys: no command takes Redis more than 3 ms as a rule, by its own account. A single one may take
    /// longer on a machine that has much to do, for it counts while Redis has no CPU.
    @Test func aLargeTagBlocksNobody() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<1_000_000).map { Key("key:\($0)") }
            for start in stride(from: 0, to: keys.count, by: 10_000) {
                try await client.file(Array(keys[start..<start + 10_000]), under: "tag")
            }
            try await client.send(RedisCommand("CONFIG", "SET", "slowlog-log-slower-than", "20000"))
            try await client.send(RedisCommand("SLOWLOG", "RESET"))
            try await client.send(RedisCommand("CONFIG", "RESETSTAT"))
            try await withTarget(server.url()) { target, _ in
                let outcome = try await Tags(target, options: Self.unpaced).empty([Key("tag")]) { _, _ in false }
                #expect(outcome.deleted[Key("tag")] ?? 0 >= keys.count)
                let slow = try await server.cli("SLOWLOG", "GET")
                #expect(slow == "\n", "\(slow.prefix(1_000))")
                let lines = try await server.cli("INFO", "commandstats").split(whereSeparator: \.isNewline)
                let times = lines.compactMap { line in
                    line.split(separator: ",").first { $0.hasPrefix("usec_per_call=") }.flatMap {
                        Double($0.dropFirst("usec_per_call=".count))
                    }
                }
                #expect(times.count >= 4 && times.allSatisfy { $0 < 3_000 }, "\(lines)")
            }
        }
    }

    private final class Database: Sendable {
        /// What every row of it holds.
        let version = Atomic(0)
        /// Changes of it that were served.
        let served = Atomic(0)
    }

    /// Readers that keep to the protocol, changes, and workers that empty the same tag at the same time over targets of
    /// their own: no entry is older than the last change that was served, and each is filed.
    @Test func nothingStaleStaysWhateverComesTogether() async throws {
        try await RedisServer.with { server in
            let database = Database()
            let url = try server.url()
            try await withTarget(url) { first, _ in
                try await withTarget(url) { second, _ in
                    try await withThrowingTaskGroup { group in
                        for _ in 0..<4 {
                            group.addTask {
                                let client = try await Client(url)
                                while database.served.load(ordering: .relaxed) < 400 {
                                    try await Self.read(Key("key:\(Int.random(in: 0..<150))"), client, database)
                                }
                            }
                        }
                        for target in [first, second, first, second] {
                            group.addTask {
                                let client = try await Client(url)
                                for _ in 0..<100 {
                                    let version = database.version.add(1, ordering: .sequentiallyConsistent).newValue
                                    let tags = Tags(target, options: Self.unpaced)
                                    let outcome = try await tags.empty([Key("tag")]) { _, _ in true }
                                    #expect(outcome.failedTags.isEmpty)
                                    let keys = (0..<150).map { Key("key:\($0)") }
                                    let values = try await client.pipeline(keys.map { RedisCommand("GET", [$0.bytes]) })
                                    let oldest = values.compactMap(\.text).compactMap { Int($0) }.min() ?? version
                                    #expect(oldest >= version)
                                    database.served.add(1, ordering: .relaxed)
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    let client = try await Client(url)
                    _ = try await Tags(first, options: Self.unpaced).empty([Key("tag")]) { _, _ in true }
                    #expect(try await client.names().filter { !$0.hasPrefix("unstale:fence:") } == [])
                }
            }
        }
    }

    /// The token, the tag, the load and the store, in this order.
    private static func read(_ key: Key, _ client: Client, _ database: Database) async throws {
        var reader = FencedReader(key)
        reader.take(try await client.pipeline(reader.takingToken()))
        try await client.file([key], under: "tag")
        reader.load(database.version.load(ordering: .sequentiallyConsistent))
        try await client.send(reader.storing())
    }
}

extension Client {
    /// Files keys under a tag.
    func file(_ keys: [Key], under tag: String) async throws {
        try await send(RedisCommand("SADD", [Array(tag.utf8)] + keys.map(\.bytes)))
    }

    /// The names of all keys, sorted.
    func names() async throws -> [String] {
        guard case .array(let names) = try await send(RedisCommand("KEYS", "*")) else { return [] }
        return names.compactMap(\.text).sorted()
    }
}
