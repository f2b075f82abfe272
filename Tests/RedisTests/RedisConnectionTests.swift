import Redis
import TestSupport
import Testing

@Suite struct RedisConnectionTests {
    private let deadline = Duration.seconds(10)

    private func connect(_ options: RedisConnectionOptions = .init()) async throws -> RedisConnection {
        try await RedisConnection.connect(to: TestEnvironment.redisURL, options: options)
    }

    @Test func keepsTheOrderOfAHugePipeline() async throws {
        let connection = try await connect()
        let replies = try await connection.pipeline(
            (0..<100_000).map { RedisCommand("ECHO", "\($0)") }, deadline: deadline)
        #expect(replies.count == 100_000)
        #expect(replies.enumerated().allSatisfy { $1.text == "\($0)" })
        #expect(try await connection.pipeline([], deadline: deadline).isEmpty)
    }

    @Test func keepsBinaryKeysApart() async throws {
        let connection = try await connect()
        let prefix = Array("RedisConnectionTests:".utf8)
        let keys =
            ["\0", "\n", "\r\n", "é", "e\u{301}", "*", "?", "[a]", "\\", " ", ""].map {
                prefix + Array($0.utf8)
            }
            + [prefix + [UInt8](0...255) + [UInt8](repeating: 0xFF, count: 500)]
        let set = keys.enumerated().map { RedisCommand("SET", [$1, Array("\($0)".utf8)]) }
        #expect(
            try await connection.pipeline(set, deadline: deadline).allSatisfy { $0 == .simpleString("OK") })
        let values = try await connection.send(RedisCommand("MGET", keys), deadline: deadline)
        #expect(values == .array(keys.indices.map { .bulk(Array("\($0)".utf8)) }))
        #expect(
            try await connection.send(RedisCommand("UNLINK", keys), deadline: deadline)
                == .integer(keys.count))
    }

    @Test func errorRepliesAreValues() async throws {
        let connection = try await connect()
        let replies = try await connection.pipeline(
            [RedisCommand("ECHO", "a"), RedisCommand("NONSENSE"), RedisCommand("ECHO", "b")],
            deadline: deadline)
        guard case .error(let error) = replies[1] else {
            Issue.record("no error: \(replies)")
            return
        }
        #expect(error.code == "ERR")
        #expect(replies[0].text == "a" && replies[2].text == "b")
    }

    @Test func fiftyTasksShareAConnection() async throws {
        let connection = try await connect()
        try await withThrowingTaskGroup { group in
            for task in 0..<50 {
                group.addTask { [deadline] in
                    for round in 0..<100 {
                        let words = (0..<(1 + (task + round) % 7)).map { "\(task):\(round):\($0)" }
                        let replies = try await connection.pipeline(
                            words.map { RedisCommand("ECHO", $0) }, deadline: deadline)
                        #expect(replies.map(\.text) == words)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func cancellationLeavesTheOthersTheirReplies() async throws {
        let connection = try await connect()
        try await withThrowingTaskGroup { group in
            for number in 0..<200 {
                let task = Task {
                    try await connection.send(RedisCommand("ECHO", "\(number)"), deadline: .seconds(10))
                }
                if number % 2 == 0 { task.cancel() }
                group.addTask {
                    switch await task.result {
                    case .success(let reply): #expect(reply.text == "\(number)")
                    case .failure(let error as RedisError):
                        #expect(error.code == .cancelled && number % 2 == 0)
                    case .failure(let error): throw error
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(
            try await connection.send(RedisCommand("ECHO", "still here"), deadline: deadline).text
                == "still here")
    }

    @Test func tellsItsNameAndTheServersIdentity() async throws {
        let connection = try await connect(.init(clientName: "unstale-test"))
        #expect(
            try await connection.send(RedisCommand("CLIENT", "GETNAME"), deadline: deadline).text
                == "unstale-test")
        let identity = try await connection.identity(deadline: deadline)
        #expect(identity.runID.count == 40 && identity.replicationID.count == 40 && identity.role == .master)
    }

    @Test func endsWhatIsUnderWayOnClose() async throws {
        let connection = try await connect()
        let blocked = Task {
            try await connection.send(
                RedisCommand("BLPOP", "RedisConnectionTests:none", "0"), deadline: .seconds(10))
        }
        let watcher = try await connect()
        try await eventually("a blocked client") {
            let clients = try await watcher.send(RedisCommand("CLIENT", "LIST"), deadline: deadline)
            return clients.text?.contains("cmd=blpop") == true
        }
        connection.close()
        let error = await #expect(throws: RedisError.self) { try await blocked.value }
        #expect(error?.code == .disconnected)
        let later = await #expect(throws: RedisError.self) {
            try await connection.send(RedisCommand("PING"), deadline: deadline)
        }
        #expect(later?.code == .disconnected)
        #expect(!connection.isOpen)
    }
}
