import FoundationEssentials
import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

/// What keeps a target from being reached is said in one line, and is over when it is mended.
@Suite struct ReachTests {
    private let key = Key("key")

    private func reason(_ state: TargetState) -> String? {
        if case .paused(_, let reason) = state { reason } else { nil }
    }

    private func wait(for words: String, _ target: Target) async throws {
        try await eventually("a pause because of \(words)") { reason(target.state)?.contains(words) == true }
        #expect(reason(target.state)?.contains("\n") == false)
    }

    private func waitUntilDeleted(_ target: Target) async throws {
        #expect(try await target.delete([key]).isEmpty)
        #expect(target.state == .connected)
    }

    @Test func certificateIsMended() async throws {
        let authority = try await TestAuthority()
        let port = try await TLSPort(authority.certificate())
        try await RedisServer.with(port.arguments) { server in
            let url = try RedisURL("rediss://localhost:\(port.number)?ca=\(authority.file)")
            try await withTarget(url) { (target, _) async throws in
                try await waitUntilDeleted(target)
                let faults: [(TestAuthority.Certificate, String)] = [
                    (try await authority.certificate(hasExpired: true), "certificate expired on 2020-02-01"),
                    (
                        try await authority.certificate(for: ["DNS:other.example"]),
                        "certificate is for other.example, and not for localhost"
                    ), (try await TestAuthority().certificate(), "no CA in \(authority.file) has signed"),
                ]
                for (certificate, words) in faults {
                    try await server.show(certificate)
                    try await server.cli("CLIENT", "KILL", "TYPE", "normal")
                    try await wait(for: words, target)
                    try await server.show(authority.certificate())
                    try await waitUntilDeleted(target)
                }
            }
        }
    }

    @Test func secretIsMended() async throws {
        try await RedisServer.with(["--requirepass", "right"]) { server in
            let path = try TestEnvironment.directory + "/secret-\(server.port)"
            let url = try RedisURL("redis://127.0.0.1:\(server.port)?password_file=\(path)")
            try await withTarget(url) { (target, story) async throws in
                try await wait(for: "the password file \(path) can't be read", target)
                try "wrong\n".write(toFile: path, atomically: true, encoding: .utf8)
                try await wait(for: "WRONGPASS", target)
                try "right\n".write(toFile: path, atomically: true, encoding: .utf8)
                try await waitUntilDeleted(target)
                #expect(story.pauses == 1)
            }
        }
    }

    /// A new secret is tried at once, for the connection that has to be made at night must not be the first to try it.
    @Test func secretIsChanged() async throws {
        let user = ["--user", "app", "on", ">first", "~*", "+@all"]
        try await RedisServer.with(user) { server in
            let path = try TestEnvironment.directory + "/secret-\(server.port)"
            try "first".write(toFile: path, atomically: true, encoding: .utf8)
            let url = try RedisURL("redis://app@127.0.0.1:\(server.port)?password_file=\(path)")
            try await withTarget(url, options: TargetOptions(checkInterval: .milliseconds(50))) {
                (target, story) async throws in
                try await waitUntilDeleted(target)
                try "second".write(toFile: path, atomically: true, encoding: .utf8)
                try await eventually("the refusal") { try await server.cli("ACL", "LOG").contains("auth") }
                try await waitUntilDeleted(target)
                try await server.cli("ACL", "SETUSER", "app", ">second", "<first")
                try await server.cli("ACL", "LOG", "RESET")
                try await server.cli("CLIENT", "KILL", "TYPE", "normal")
                try await waitUntilDeleted(target)
                #expect(try await server.cli("ACL", "LOG").contains("auth") == false)
                try await eventually("the new connection") { story.states.count >= 3 }
            }
        }
    }

    /// Although there is nothing to do, and no byte says that it is over, by the defaults.
    @Test func halfOpenConnectionsAreNoticed() async throws {
        try await RedisServer.with { server in
            try await FaultProxy.with(to: server.port) { proxy in
                try await withSweeper(proxy.url) { sweeper, target in
                    try await waitUntilDeleted(target)
                    #expect(try await sweeper.sweep([Pattern("none:*")]).isEmpty)
                    proxy.fault = .stall
                    let start = ContinuousClock.now
                    try await eventually("a pause of both connections") {
                        reason(target.state) != nil && reason(sweeper.connectionState) != nil
                    }
                    #expect(ContinuousClock.now - start < .seconds(10))
                    proxy.fault = .none
                    try await waitUntilDeleted(target)
                }
            }
        }
    }

    /// A pass over the keys of another server than the one that deletes would find none, and an index of them has none.
    @Test(arguments: [false, true]) func sweepsWhereItDeletes(isIndexed: Bool) async throws {
        try await RedisServer.with { one in
            try await RedisServer.with { other in
                let client = try await Client(other.url())
                try await client.set([Key("a:1"), Key("b:1")])
                try await FaultProxy.with(to: one.port) { proxy in
                    // Nobody looks where the connections lead to.
                    let index = isIndexed ? KeyIndexOptions(prefixes: ["a:"]) : nil
                    let options = TargetOptions(checkInterval: .seconds(60), index: index)
                    try await withSweeper(proxy.url, target: options) { sweeper, target in
                        if isIndexed { try await eventually("an index") { sweeper.indexStatus?.state == .ready } }
                        #expect(try await sweeper.sweep([Pattern("a:*")]).isEmpty)
                        try await waitUntilDeleted(target)
                        // As after a failover: of its two connections one leads to the new server.
                        proxy.serverPort = other.port
                        let old = try await RedisConnection.connect(to: one.url())
                        let id = try await targetsClient(old)
                        _ = try await old.send(RedisCommand("CLIENT", "KILL", "ID", id), deadline: .seconds(5))
                        try await eventually("the new server") { try await target.server == identity(other) }
                        #expect(try await sweeper.sweep([Pattern("a:*")]).isEmpty)
                        #expect(try await client.existing([Key("a:1"), Key("b:1")]) == [Key("b:1")])
                        guard isIndexed else { return }
                        try await eventually("an index of the new server") { sweeper.indexStatus?.fills == 2 }
                        try await client.set([Key("a:1")])
                        #expect(try await sweeper.sweep([Pattern("a:*")]).isEmpty)
                        #expect(try await client.existing([Key("a:1")]).isEmpty)
                    }
                }
            }
        }
    }

    private func identity(_ server: RedisServer) async throws -> String {
        try await RedisConnection.connect(to: server.url()).identity(deadline: .seconds(5)).runID
    }

    /// The connection that has deleted last.
    private func targetsClient(_ connection: RedisConnection) async throws -> String {
        var id: Substring?
        try await eventually("the target's connection") {
            let list = try await connection.send(RedisCommand("CLIENT", "LIST"), deadline: .seconds(5)).text ?? ""
            id = list.split(separator: "\n").first { $0.contains("cmd=unlink") }?.split(separator: " ").first?
                .dropFirst(3)
            return id != nil
        }
        return try #require(id.map(String.init))
    }
}
