import Redis
import TestSupport
import Testing

@Suite struct RedisFaultTests {
    private let echo = RedisCommand("ECHO", "hello")

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n", RedisError.Code.protocolViolation),
        ("+a\r\n+b\r\n+c\r\n", .protocolViolation),
        ("*9\r\n:1\r\n", .timeout), ("", .timeout),
    ])
    func malformedAnswers(answer: String, code: RedisError.Code) async throws {
        try await FakePeer.with(answer: answer) { connection in
            let deadline = code == .timeout ? Duration.milliseconds(200) : .seconds(10)
            var error: RedisError?
            // The second of the three answers nobody asked for comes with the first, or just after it.
            for _ in 0..<2 where error == nil {
                do throws(RedisError) {
                    _ = try await connection.send(echo, deadline: deadline)
                } catch let failure {
                    error = failure
                }
            }
            #expect(error?.code == code)
            try await eventually("end of the connection") { !connection.isOpen }
        }
    }

    @Test func deadlineEndsTheConnectionForAll() async throws {
        try await RedisServer.with { server in
            let connection = try await RedisConnection.connect(to: server.url())
            try server.pause()
            let start = ContinuousClock.now
            let patient = Task { try await connection.send(echo, deadline: .seconds(60)) }
            let error = await #expect(throws: RedisError.self) {
                try await connection.send(echo, deadline: .milliseconds(100))
            }
            #expect(error?.code == .timeout)
            #expect(error?.message == "no answer within 0.1 seconds")
            await #expect(throws: RedisError.self) { try await patient.value }
            #expect(ContinuousClock.now - start < .seconds(10))
            try server.resume()
        }
    }

    @Test func lostReplies() async throws {
        try await FaultProxy.with(to: RedisServerPort.shared) { proxy in
            let connection = try await RedisConnection.connect(to: proxy.url)
            #expect(try await connection.send(echo, deadline: .seconds(5)).text == "hello")
            proxy.fault = .swallowReplies
            let error = await #expect(throws: RedisError.self) {
                try await connection.send(echo, deadline: .milliseconds(200))
            }
            #expect(error?.code == .timeout)
            proxy.fault = .refuse
            let refused = await #expect(throws: RedisError.self) {
                _ = try await RedisConnection.connect(to: proxy.url)
            }
            #expect([.connect, .disconnected].contains(refused?.code))
            proxy.fault = .delay(.milliseconds(50))
            let late = try await RedisConnection.connect(to: proxy.url)
            #expect(try await late.send(echo, deadline: .seconds(5)).text == "hello")
            proxy.fault = .stall
            async let stalled = late.send(echo, deadline: .seconds(10))
            proxy.fault = .none
            #expect(try await stalled.text == "hello")
            proxy.cut()
            try await eventually("end of the connection") { !late.isOpen }
        }
    }

    @Test func poisonedCommandsFailInTheirPlace() async throws {
        try await FaultProxy.with(to: RedisServerPort.shared) { proxy in
            proxy.poison(Array("bad".utf8), with: "WRONGTYPE it is poison")
            let connection = try await RedisConnection.connect(to: proxy.url)
            let words = ["a", "bad", "b", "bad", "bad", "c"]
            let replies = try await connection.pipeline(
                words.map { RedisCommand("ECHO", $0) }, deadline: .seconds(5))
            for (word, reply) in zip(words, replies) {
                #expect(
                    reply
                        == (word == "bad"
                            ? .error(RedisErrorReply("WRONGTYPE it is poison")) : .bulk(Array(word.utf8))))
            }
            proxy.poison(Array("bad".utf8), with: nil)
            #expect(
                try await connection.send(RedisCommand("ECHO", "bad"), deadline: .seconds(5)).text == "bad")
        }
    }

    @Test func killedInMidPipeline() async throws {
        try await RedisServer.with { server in
            for _ in 0..<3 {
                let connection = try await RedisConnection.connect(to: server.url())
                let commands = (0..<20_000).map { RedisCommand("SET", "key:\($0)", "value") }
                let endless = Task {
                    while true { _ = try await connection.pipeline(commands, deadline: .seconds(60)) }
                }
                let watcher = try await RedisConnection.connect(to: server.url())
                try await eventually("writes") {
                    try await watcher.send(RedisCommand("DBSIZE"), deadline: .seconds(5)) != .integer(0)
                }
                try await server.kill9()
                let error = await #expect(throws: RedisError.self) { try await endless.value }
                #expect(error?.code == .disconnected)
                try await server.start()
            }
        }
    }

    @Test func cancelledWhileConnecting() async throws {
        // A listener that never answers: a proxy whose bytes are stalled.
        try await FaultProxy.with(to: RedisServerPort.shared) { proxy in
            proxy.fault = .stall
            let url = try proxy.url
            let task = Task {
                try await RedisConnection.connect(to: url, options: .init(connectTimeout: .seconds(60)))
            }
            try await eventually("a connection") { proxy.accepted == 1 }
            task.cancel()
            let error = await #expect(throws: RedisError.self) { _ = try await task.value }
            #expect(error?.code == .cancelled)
        }
    }
}

/// The port of the Redis that all tests share.
enum RedisServerPort {
    static var shared: Int {
        get throws {
            guard case .standalone(.tcp(_, let port)) = try TestEnvironment.redisURL.deployment else {
                throw TestError("no TCP port")
            }
            return port
        }
    }
}
