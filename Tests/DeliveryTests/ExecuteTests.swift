import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct ExecuteTests {
    @Test func repliesComeInOrderThroughManyPipelines() async throws {
        try await RedisServer.with { server in
            let options = TargetOptions(bytesPerPipeline: 1000)
            try await withTarget(server.url(), options: options) { (target, _) async throws in
                let groups = (0..<1000).map {
                    CommandGroup(
                        key: Key("key:\($0)"),
                        commands: [RedisCommand("SET", "key:\($0)", "\($0)"), RedisCommand("GET", "key:\($0)")])
                }
                let replies = try await target.execute(groups: groups)
                #expect(replies == (0..<1000).map { [.simpleString("OK"), .bulk(Array("\($0)".utf8))] })
                #expect(try await target.execute(groups: []).isEmpty)
                #expect(try await target.execute(groups: [CommandGroup(key: nil, commands: [])]) == [[]])
            }
        }
    }

    @Test func anErrorOfItsOwnIsAReply() async throws {
        try await RedisServer.with { server in
            try await withTarget(server.url()) { (target, story) async throws in
                let commands = [RedisCommand("SET", "a", "x"), RedisCommand("INCR", "a"), RedisCommand("GET", "a")]
                let replies = try await target.execute(groups: [CommandGroup(key: Key("a"), commands: commands)])[0]
                #expect(replies[0] == .simpleString("OK") && replies[2] == .bulk(Array("x".utf8)))
                guard case .error = replies[1] else {
                    Issue.record("no error")
                    return
                }
                #expect(story.pauses == 0)
            }
        }
    }

    @Test(arguments: [1, 1 << 20]) func aGroupIsSentAgainAfterTrouble(bytesPerPipeline: Int) async throws {
        try await RedisServer.with(["--user", "app", "on", ">secret", "~*", "+@all", "-set"]) { server in
            let options = TargetOptions(bytesPerPipeline: bytesPerPipeline)
            try await withTarget(server.url(login: "app:secret@"), options: options) { (target, _) async throws in
                try await eventually("a connection") { target.state == .connected }
                async let replies = target.execute(groups: [
                    CommandGroup(
                        key: Key("count"),
                        commands: [
                            RedisCommand("INCR", "count"), RedisCommand("SET", "a", "1"), RedisCommand("GET", "a"),
                        ])
                ])
                try await eventually("a pause") { target.state != .connected }
                try await server.cli("ACL", "SETUSER", "app", "+set")
                #expect(try await replies[0] == [.integer(2), .simpleString("OK"), .bulk(Array("1".utf8))])
            }
        }
    }
}
