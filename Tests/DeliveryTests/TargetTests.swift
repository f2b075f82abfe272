import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct TargetTests {
    private func keys(_ count: Int, _ prefix: String = #function) -> [Key] {
        (0..<count).map { Key("TargetTests:\(prefix):\($0)") }
    }

    @Test func deletesManyKeysAndNothingElse() async throws {
        let keys = keys(100_000)
        let canaries = keys.prefix(100).map { Key($0.description + "0x") } + [Key("TargetTests:*"), Key("")]
        let client = try await Client(TestEnvironment.redisURL)
        try await client.set(keys + canaries)
        try await withTarget(TestEnvironment.redisURL) { (target, story) async throws in
            #expect(try await target.delete(keys).isEmpty)
            #expect(try await target.delete(keys).isEmpty, "what isn't there is deleted already")
            #expect(try await target.delete([]).isEmpty)
            #expect(target.state == .connected && story.pauses == 0)
        }
        #expect(try await client.existing(keys).isEmpty)
        #expect(try await client.existing(canaries) == Set(canaries))
        _ = try await client.connection.send(
            RedisCommand("UNLINK", canaries.map(\.bytes)), deadline: .seconds(5))
    }

    @Test func aPoisonKeyHoldsUpNobody() async throws {
        guard case .standalone(.tcp(_, let port)) = try TestEnvironment.redisURL.deployment else { return }
        let keys = keys(1000)
        let client = try await Client(TestEnvironment.redisURL)
        try await client.set(keys)
        try await FaultProxy.with(to: port) { proxy in
            proxy.poison(keys[17].bytes, with: "WRONGTYPE it is poison")
            proxy.poison(keys[900].bytes, with: "ERR it is poison too")
            try await withTarget(proxy.url) { (target, story) async throws in
                let failures = try await target.delete(keys)
                #expect(
                    Set(failures) == [
                        Failure(key: keys[17], reason: "WRONGTYPE it is poison"),
                        Failure(key: keys[900], reason: "ERR it is poison too"),
                    ])
                #expect(try await client.existing(keys) == [keys[17], keys[900]])
                proxy.poison(keys[17].bytes, with: nil)
                #expect(try await target.delete([keys[17]]).isEmpty)
                #expect(story.pauses == 0)
            }
        }
        try await client.send(RedisCommand("UNLINK", keys.map(\.bytes)))
    }

    @Test func cancellationAndEndOfRun() async throws {
        let server = try await RedisServer.with { $0 }
        try await withTarget(server.url()) { (target, _) async throws in
            let cancelled = Task { try await target.delete([Key("a")]) }
            let left = Task { try await target.delete([Key("b")]) }
            try await eventually("a pause") { if case .paused = target.state { true } else { false } }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            Task {
                await #expect(throws: CancellationError.self, "run() has ended") { try await left.value }
                await #expect(throws: CancellationError.self) { try await target.delete([Key("c")]) }
            }
        }
    }
}
