import Redis
import TestSupport
import Testing

@Suite struct RedisLoginTests {
    private func error(connectingTo url: RedisURL) async -> RedisError? {
        await #expect(throws: RedisError.self) { _ = try await RedisConnection.connect(to: url) }
    }

    @Test func passwordAndUser() async throws {
        let user = ["--user", "app", "on", ">w@rd", "~*", "+@all", "-client"]
        try await RedisServer.with(["--requirepass", "s3cret"] + user) { server in
            _ = try await RedisConnection.connect(to: server.url(login: ":s3cret@"))
            _ = try await RedisConnection.connect(to: server.url(login: "app:w%40rd@"))
            let place = "connecting to redis://:***@127.0.0.1:\(server.port)/0"
            let wrong = try await error(connectingTo: server.url(login: ":wrong@"))
            #expect(wrong?.code == .refused)
            #expect(
                wrong?.description
                    == "\(place): WRONGPASS invalid username-password pair or user is disabled.")
            let none = try await error(connectingTo: server.url())
            #expect(none?.code == .refused && none?.message.hasPrefix("NOAUTH") == true)
        }
    }

    @Test func databaseAndSocket() async throws {
        try await RedisServer.with { server in
            let second = try await RedisConnection.connect(to: server.url(database: 2))
            #expect(
                try await second.send(RedisCommand("SET", "key", "2"), deadline: .seconds(5)).text == "OK")
            let socket = try await RedisConnection.connect(to: RedisURL("unix://\(server.socket)?db=2"))
            #expect(try await socket.send(RedisCommand("GET", "key"), deadline: .seconds(5)).text == "2")
            let missing = try await error(connectingTo: server.url(database: 99))
            #expect(missing?.message == "ERR DB index is out of range")
        }
    }

    @Test func tooManyClients() async throws {
        try await RedisServer.with(["--maxclients", "1"]) { server in
            var first: RedisConnection?
            try await eventually("end of the connection that start() made") {
                first = try await RedisConnection.connect(to: server.url())
                return true
            }
            // It hangs up right behind these words; where what we send meets that, they are lost now and then.
            try await eventually("the server's words") {
                let error = try await error(connectingTo: server.url())
                #expect(error?.code == .refused || error?.code == .disconnected, "\(String(describing: error))")
                return error?.code == .refused && error?.message == "ERR max number of clients reached"
            }
            #expect(first?.isOpen == true)
        }
    }

    @Test func nobodyThere() async throws {
        let server = try await RedisServer.with { $0 }
        let refused = try await error(connectingTo: server.url())
        #expect(refused?.code == .connect)
        #expect(
            refused?.description == "connecting to redis://127.0.0.1:\(server.port)/0: connection refused")
        let socket = try await error(connectingTo: RedisURL("unix:///nonexistent"))
        #expect(socket?.message == "no such file or directory")
        let name = try await error(connectingTo: RedisURL("redis://no-such-host.invalid"))
        #expect(
            name?.description
                == "connecting to redis://no-such-host.invalid:6379/0: the name no-such-host.invalid can't be resolved"
        )
    }
}
