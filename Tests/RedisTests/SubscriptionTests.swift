import Redis
import Synchronization
import TestSupport
import Testing

@Suite struct SubscriptionTests {
    private let deadline = Duration.seconds(10)

    @Test func messagesInTheirOrder() async throws {
        let name = "SubscriptionTests:\(UInt64.random(in: 0 ... .max))"
        let heard = Mutex<[RedisMessage]>([])
        let url = try TestEnvironment.redisURL
        let subscriber = try await RedisConnection.connect(to: url)
        try await subscriber.subscribe(to: [name, name + ":2"], deadline: deadline) { message in
            heard.withLock { $0.append(message) }
        }
        let publisher = try await RedisConnection.connect(to: url)
        let texts = (0..<1_000).map { "message \($0)\0\r\n" }
        let replies = try await publisher.pipeline(
            texts.enumerated().map { RedisCommand("PUBLISH", $0 % 2 == 0 ? name : name + ":2", $1) },
            deadline: deadline)
        #expect(replies.allSatisfy { $0 == .integer(1) })
        // What was published before is heard before the answer.
        _ = try await subscriber.send(RedisCommand("PING"), deadline: deadline)
        #expect(heard.withLock { $0.map { $0.payload.text } } == texts)
        #expect(heard.withLock { $0.map(\.channel) } == texts.indices.map { $0 % 2 == 0 ? name : name + ":2" })
    }

    @Test func noPermission() async throws {
        try await RedisServer.with(["--user", "app", "on", ">x", "~*", "+@all", "resetchannels"]) { server in
            let connection = try await RedisConnection.connect(to: server.url(login: "app:x@"))
            let error = await #expect(throws: RedisError.self) {
                try await connection.subscribe(to: ["a"], deadline: deadline) { _ in }
            }
            #expect(error?.code == .refused && error?.message.hasPrefix("NOPERM") == true)
        }
    }

    @Test func endsWithTheConnection() async throws {
        try await RedisServer.with { server in
            let connection = try await RedisConnection.connect(to: server.url())
            try await connection.subscribe(to: ["a"], deadline: deadline) { _ in }
            try await server.kill9()
            await connection.closed()
            let error = await #expect(throws: RedisError.self) {
                _ = try await connection.send(RedisCommand("PING"), deadline: deadline)
            }
            #expect(error?.code == .disconnected)
        }
    }
}
