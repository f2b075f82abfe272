import FoundationEssentials
import Redis
import TestSupport
import Testing

@Suite struct RedisSecretTests {
    private let deadline = Duration.seconds(10)

    private func file() throws -> String {
        try TestEnvironment.directory + "/secret-\(UInt64.random(in: 0 ... .max))"
    }

    @Test func passwordFromAFile() async throws {
        try await RedisServer.with(["--requirepass", "s3 crét"]) { server in
            let path = try file()
            let url = try RedisURL("redis://127.0.0.1:\(server.port)?password_file=\(path)")
            func message() async -> String? {
                await #expect(throws: RedisError.self) { _ = try await RedisConnection.connect(to: url) }?.message
            }
            #expect(await message() == "the password file \(path) can't be read: no such file or directory")
            try "\n".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(await message() == "the password file \(path) is empty")
            try "other\n".write(toFile: path, atomically: true, encoding: .utf8)
            #expect(await message() == "WRONGPASS invalid username-password pair or user is disabled.")
            for text in ["s3 crét\n", "s3 crét", "s3 crét\r\n"] {
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                _ = try await RedisConnection.connect(to: url)
            }
        }
    }

    @Test func newSecretOnALivingConnection() async throws {
        try await RedisServer.with(["--user", "app", "on", ">first", "~*", "+@all"]) { server in
            let path = try file()
            try "first\n".write(toFile: path, atomically: true, encoding: .utf8)
            let connection = try await RedisConnection.connect(
                to: RedisURL("redis://app@127.0.0.1:\(server.port)?password_file=\(path)"))
            func logins() async throws -> Int {
                let lines = try await server.cli("info", "commandstats").split(whereSeparator: \.isNewline)
                let line = lines.first { $0.hasPrefix("cmdstat_auth:calls=") } ?? ""
                return Int(line.dropFirst("cmdstat_auth:calls=".count).prefix { $0.isNumber }) ?? 0
            }
            try await connection.renewLogin(deadline: deadline)
            #expect(try await logins() == 1, "nothing has changed")
            try "second\n".write(toFile: path, atomically: true, encoding: .utf8)
            let error = await #expect(throws: RedisError.self) { try await connection.renewLogin(deadline: deadline) }
            #expect(error?.code == .refused && error?.message.hasPrefix("WRONGPASS") == true)
            #expect(try await connection.send(RedisCommand("PING"), deadline: deadline).text == "PONG")
            try await server.cli("ACL", "SETUSER", "app", ">second")
            try await connection.renewLogin(deadline: deadline)
            try await connection.renewLogin(deadline: deadline)
            #expect(try await logins() == 3, "once more, and once where it was refused")
        }
    }

    @Test func clientName() async throws {
        let url = try TestEnvironment.redisURL
        let connection = try await RedisConnection.connect(to: RedisURL("\(url)?client_name=shop:1"))
        #expect(
            try await connection.send(RedisCommand("CLIENT", "GETNAME"), deadline: deadline).text == "shop:1")
    }
}
