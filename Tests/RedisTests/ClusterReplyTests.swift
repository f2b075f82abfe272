import TestSupport
import Testing

@testable import Redis

@Suite struct ClusterReplyTests {
    private let asked = RedisURL.Address.tcp(host: "10.0.0.9", port: 7000)

    private func range(_ first: Int, _ last: Int, _ host: String, _ port: Int) -> RedisReply {
        let node = RedisReply.array([.bulk(Array(host.utf8)), .integer(port), .bulk(Array("id".utf8))])
        return .array([.integer(first), .integer(last), node, node])
    }

    @Test func knowsTheSlotsOfTheSpecification() {
        // Its appendix gives 0x31C3 for this text; the others are what CLUSTER KEYSLOT says.
        #expect(RedisSlot(of: Array("123456789".utf8)).number == 0x31C3 % 16_384)
        #expect(RedisSlot(of: Array("foo".utf8)).number == 12_182)
        #expect(RedisSlot(of: Array("{user1000}.following".utf8)) == RedisSlot(of: Array("user1000".utf8)))
        #expect(RedisSlot(of: Array("foo{}{bar}".utf8)) != RedisSlot(of: Array("bar".utf8)))
        #expect(RedisSlot(of: Array("foo{{bar}}zap".utf8)) == RedisSlot(of: Array("{bar".utf8)))
        #expect(RedisSlot(of: Array("foo{bar}{zap}".utf8)) == RedisSlot(of: Array("bar".utf8)))
        #expect(RedisSlot(of: []).number == 0)
    }

    @Test func saysTheSameAsRedis() async throws {
        var random = SeededGenerator()
        let keys = (0..<2000).map { _ in
            (0..<Int.random(in: 0...12, using: &random)).map { _ in
                [123, 125, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random)!
            }
        }
        try await RedisServer.with(["--cluster-enabled", "yes"]) { server in
            let connection = try await RedisConnection.connect(to: server.url())
            let commands = keys.map { RedisCommand("CLUSTER", [Array("KEYSLOT".utf8), $0]) }
            let replies = try await connection.pipeline(commands, deadline: .seconds(30))
            #expect(replies == keys.map { .integer(RedisSlot(of: $0).number) })
        }
    }

    @Test func readsTheMap() throws {
        let map = try #require(
            SlotMap(.array([range(0, 8191, "10.0.0.1", 7001), range(8192, 16_382, "", 7002)]), askedAt: asked))
        #expect(map.isCluster && !map.isComplete && map.masters.count == 2)
        #expect(map[RedisSlot(8191)] == .tcp(host: "10.0.0.1", port: 7001))
        #expect(map[RedisSlot(8192)] == .tcp(host: "10.0.0.9", port: 7002))
        #expect(map[RedisSlot(16_383)] == nil)
        #expect(SlotMap(.array([.integer(1)]), askedAt: asked) == nil)
        #expect(SlotMap(.array([range(5, 4, "a", 1)]), askedAt: asked) == nil)
        #expect(SlotMap(.array([range(5, 16_384, "a", 1)]), askedAt: asked) == nil)
    }

    @Test func movesASlot() throws {
        var map = try #require(SlotMap(.array([range(0, 16_383, "a", 1)]), askedAt: asked))
        map.move(RedisSlot(7), to: .tcp(host: "b", port: 2))
        #expect(map[RedisSlot(7)] == .tcp(host: "b", port: 2) && map[RedisSlot(8)] == .tcp(host: "a", port: 1))
        #expect(map.isComplete)
        var single = SlotMap(only: asked)
        single.move(RedisSlot(7), to: .tcp(host: "b", port: 2))
        #expect(single == SlotMap(only: asked) && single[RedisSlot(7)] == asked)
    }

    @Test func readsRedirections() {
        func read(_ text: String) -> Redirection? { Redirection(RedisErrorReply(text), askedAt: asked) }
        #expect(read("MOVED 3999 127.0.0.1:6381") == .moved(RedisSlot(3999), .tcp(host: "127.0.0.1", port: 6381)))
        #expect(read("ASK 1 ::1:6381") == .ask(RedisSlot(1), .tcp(host: "::1", port: 6381)))
        #expect(read("MOVED 1 :6381") == .moved(RedisSlot(1), .tcp(host: "10.0.0.9", port: 6381)))
        for text in ["MOVED", "MOVED 16384 a:1", "MOVED x a:1", "MOVED 1 a", "ASK 1 a:0", "TRYAGAIN 1 a:1"] {
            #expect(read(text) == nil, "\(text)")
        }
    }

    @Test func readsTheOwnSlots() throws {
        let text = """
            07c37df 127.0.0.1:30004@31004,hostname4 slave e7d1ee 0 1426238317239 4 connected
            67ed2db 127.0.0.1:30002@31002 myself,master - 0 0 2 connected 5461-5463 7 [93->-292f8b] [77-<-e7d1ee]
            292f8b3 127.0.0.1:30003@31003 master - 0 1426238318243 3 connected 10923-16383
            """
        let own = try #require(OwnSlots(clusterNodes: text))
        #expect(own.id == "67ed2db" && own.epoch == "2" && own.owned.map(\.number).sorted() == [7, 5461, 5462, 5463])
        #expect(own.migrating == [RedisSlot(93): "292f8b"] && own.importing == [RedisSlot(77)])
        #expect(OwnSlots(clusterNodes: "07c37df 127.0.0.1:30004 slave e7d1ee 0 1426238317239 4 connected") == nil)
    }
}
