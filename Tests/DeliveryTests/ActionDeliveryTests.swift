import Logging
import Postgres
import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

/// What rules ask for besides deleting and loading, from a change to Redis.
@Suite struct ActionDeliveryTests {
    private static let rules = """
        version: 1
        rules:
          - name: r
            table: t
            delete: {keys: ["k:{id}"], tags: ["t:{id}"]}
            expire: {keys: ["e:{id}"], in: 30s}
            bump: ["g:{id}", all]
            publish: {channel: news}
        """

    @Test func entriesLiveShorterAndNeverLonger() async throws {
        try await Self.with { deliver, client in
            for (key, ttl) in [("e:1", "3600000"), ("e:2", "5000")] {
                try await client.send(RedisCommand("SET", key, "v", "PX", ttl))
            }
            try await client.send(RedisCommand("SET", "e:3", "v"))
            #expect(try await deliver(["1", "2", "3", "4"]).isEmpty)
            let left = try await ["e:1", "e:2", "e:3"].asyncMap { try await client.ttl($0) }
            #expect(left[0] > 5_000 && left[0] <= 30_000 && left[1] <= 5_000 && left[1] > 0)
            #expect(left[2] > 5_000 && left[2] <= 30_000)
            #expect(try await client.send(RedisCommand("EXISTS", "e:4")) == .integer(0))
            try await client.send(RedisCommand("PEXPIRE", "e:3", "10000"))
            #expect(try await deliver(["3"]).isEmpty)
            #expect(try await client.ttl("e:3") <= 10_000)
        }
    }

    @Test func countersGrowOncePerBatch() async throws {
        try await Self.with { deliver, client in
            #expect(try await deliver(["1", "2"]).isEmpty)
            #expect(try await deliver(["2"]).isEmpty)
            let counters = try await ["all", "g:1", "g:2"].asyncMap {
                try await client.send(RedisCommand("GET", $0)).text
            }
            #expect(counters == ["2", "1", "2"])
        }
    }

    @Test func anyRowReachesAllThatMatches() async throws {
        try await Self.with { deliver, client in
            try await client.set([Key("k:1"), Key("e:1"), Key("t:text"), Key("x"), Key("y"), Key("z"), Key("other")])
            try await client.file([Key("x")], under: "t:1")
            try await client.file([Key("y")], under: "t:2")
            try await client.file([Key("z")], under: "unstale:tag:t:3")
            try await client.send(RedisCommand("SET", "g:1", "7"))
            try await client.send(RedisCommand("SET", "g:text", "words"))
            try await client.file([Key("a")], under: "g:set")
            #expect(try await deliver([]).isEmpty)
            let names = try await client.names()
            #expect(names == ["all", "e:1", "g:1", "g:set", "g:text", "other", "t:text"])
            #expect(try await client.ttl("e:1") > 0)
            #expect(try await client.send(RedisCommand("GET", "g:text")).text == "words")
            let bumped = try await client.send(RedisCommand("GET", "g:1")).text
            #expect(Int(bumped ?? "") ?? 0 >= 8)
        }
    }

    /// Other patterns are served while a large tag that a pass has met is emptied.
    @Test func noPassWaitsForATag() async throws {
        try await RedisServer.with { server in
            try await Self.with(server, options: SweepOptions(share: 0.001)) { deliver, client in
                try await client.file((0..<20_000).map { Key("x:\($0)") }, under: "t:1")
                let slow = Task { try await deliver([]) }
                try await eventually("a tag that is emptied") {
                    try await client.send(RedisCommand("EXISTS", "unstale:tag:t:1")) == .integer(1)
                }
                try await client.set([Key("k:1")])
                let quick = Task { try await deliver([]) }
                try await eventually("another pass") { try await client.existing([Key("k:1")]).isEmpty }
                #expect(try await client.send(RedisCommand("EXISTS", "unstale:tag:t:1")) == .integer(1))
                for task in [slow, quick] {
                    task.cancel()
                    _ = await task.result
                }
            }
        }
    }

    /// What can't be done to a key is a letter of its own, which outlives the process.
    @Test func eachActionFailsByItself() async throws {
        try await Self.with { deliver, client in
            try await client.set([Key("k:1"), Key("t:1"), Key("k:2"), Key("x")])
            try await client.file([Key("x")], under: "t:2")
            try await client.file([Key("x")], under: "g:1")
            let failures = try await deliver(["1", "2"])
            #expect(Set(failures.map(\.action)) == [.tag(key: Key("t:1")), .bump(key: Key("g:1"))])
            #expect(failures.allSatisfy { $0.rule == "r" && $0.summary == "WRONGTYPE" }, "\(failures)")
            #expect(try await client.names() == ["all", "g:1", "g:2", "t:1"])
        }
    }

    /// Whoever hears of it may load at once.
    @Test func listenersHearWhenAllIsGone() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let listener = try await Client(server.url())
            try await Self.with(server) { deliver, _ in
                let heard = Task { try await Self.hear(listener, client, "k:1", "x", "n:1") }
                try await eventually("somebody listens") {
                    try await client.send(RedisCommand("PUBSUB", "NUMSUB", "news"))
                        == .array([.bulk(Array("news".utf8)), .integer(1)])
                }
                try await client.set([Key("k:1"), Key("x")])
                try await client.file([Key("x")], under: "t:1")
                #expect(try await deliver(["1"]).isEmpty)
                let (message, present) = try await heard.value
                #expect(
                    message.contains(#""keys":["k:1","e:1"]"#) && message.contains(#""tags":["t:1"]"#), "\(message)")
                #expect(message.contains(#""counters":["g:1","all"]"#) && message.contains(#""rule":"r""#))
                #expect(present == .integer(0))
            }
        }
    }

    /// The first message on the channel, and how many of the keys are there when it arrives.
    private static func hear(_ listener: Client, _ client: Client, _ keys: String...) async throws -> (
        String, RedisReply
    ) {
        let (messages, continuation) = AsyncStream.makeStream(of: RedisMessage.self)
        try await listener.connection.subscribe(to: ["news"], deadline: .seconds(5)) { continuation.yield($0) }
        for await message in messages {
            let present = try await client.send(RedisCommand("EXISTS", keys.map { Array($0.utf8) }))
            return (message.payload.text ?? "", present)
        }
        throw TestError("no message came")
    }

    @Test func theirFencesGo() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let rules = Self.rules + "\n    fence: true"
            try await Self.with(server, rules: rules) { deliver, _ in
                for key in ["e:1", "x"] {
                    try await client.send(RedisCommand("SET", "unstale:fence:\(key)", "before"))
                    try await client.set([Key(key)])
                }
                try await client.file([Key("x")], under: "t:1")
                #expect(try await deliver(["1"]).isEmpty)
                for key in ["e:1", "x"] {
                    let token = try await client.send(RedisCommand("GET", "unstale:fence:\(key)")).text
                    #expect(token != "before", "\(key)")
                }
            }
        }
    }

    /// A reader may store what a pass has gone by already, and its token expire before the pass comes to it.
    @Test func aTokenThatIsGoneBeforeAPassMeetsIt() async throws {
        let rules = """
            version: 1
            rules: [{name: r, table: t, fence: true, expire: {keys: ["e:{id}"], in: 30s}}]
            """
        try await RedisServer.with { server in
            try await FaultProxy.with(to: server.port) { proxy in
                // So little that SCANs are small, and many, but follow each other at once.
                let steps = SweepOptions(share: 1, callLimit: .microseconds(1))
                try await Self.with(server, at: proxy.url, rules: rules, options: steps) { deliver, client in
                    try await client.set((0..<8000).map { Key("filler:\($0)") })
                    var readers = (0..<2000).map { FencedReader(Key("e:\($0)")) }
                    let tokens = try await client.pipeline(readers.flatMap { $0.takingToken() })
                    for index in readers.indices {
                        readers[index].take([tokens[2 * index + 1]])
                        readers[index].load(1)
                    }
                    proxy.fault = .delay(.milliseconds(1))
                    let delivery = Task { try await deliver([]) }
                    try await eventually("a pass under way") {
                        guard case .integer(let count) = try await client.send(RedisCommand("DBSIZE")) else {
                            return false
                        }
                        return count < 9_500
                    }
                    proxy.fault = .stall
                    let stores = try await client.pipeline(readers.map { $0.storing() })
                    try await client.send(RedisCommand("UNLINK", readers.map { Key("unstale:fence:\($0.key)").bytes }))
                    proxy.fault = .none
                    #expect(try await delivery.value.isEmpty)
                    let stored = stores.count { $0 == .integer(1) }
                    #expect((1..<readers.count).contains(stored), "a pass under way")
                    let left = try await readers.asyncMap { try await client.ttl($0.key.description) }
                    #expect(left.count { $0 > 30_000 } == 0)
                }
            }
        }
    }

    private typealias Deliver = @Sendable ([String]) async throws -> [FailedAction]

    private static func with(_ body: (@escaping Deliver, Client) async throws -> Void) async throws {
        try await RedisServer.with { server in try await with(server, body) }
    }

    /// Lends what delivers the inserts of rows with these ids; none: any row may have changed.
    ///
    /// - Parameter url: Where the server is for it; nil: where it is.
    private static func with(
        _ server: RedisServer, at url: RedisURL? = nil, rules text: String = rules,
        options: SweepOptions = SweepOptions(share: 1), _ body: (@escaping Deliver, Client) async throws -> Void
    ) async throws {
        let rules = try RuleSet.parse(text).rules
        let planner = Planner(rules: rules, manifests: [1: Manifest(table: rules[0].table.value, rules: rules)])
        try await withSweeper(url ?? server.url(), options: options) { sweeper, target in
            let rewarmer = Rewarmer(
                target, rules: rules, tally: DeliveryTally(target: "default"),
                postgres: PostgresSettings(connection: "", applicationName: "test"), sessionSettings: "", logger: .quiet
            )
            let deliverer = Deliverer(target: target, sweeper: sweeper, rewarmer: rewarmer, lookups: nil)
            try await body(
                { ids in
                    let changes =
                        ids.isEmpty
                        ? [Change(capture: 1, kind: .anyRow, fired: 1)]
                        : ids.map { Change(capture: 1, kind: .insert, fired: 1, new: Image([$0])) }
                    return try await deliverer.deliver(planner.plan(changes), planner: planner)
                }, try await Client(server.url()))
        }
    }
}

extension Client {
    fileprivate func ttl(_ key: String) async throws -> Int {
        guard case .integer(let left) = try await send(RedisCommand("PTTL", key)) else { return -3 }
        return left
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
