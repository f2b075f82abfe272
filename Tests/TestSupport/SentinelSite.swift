import Redis

/// A master, a replica, and three Sentinels that watch over them. The replica logs in as the user `replica`, whom a
/// test may lock out.
public struct SentinelSite: Sendable {
    /// What the master is called.
    public static let name = "shop"

    /// The server that is the master at first, and the one that is the replica.
    public let servers: [RedisServer]
    /// The Sentinels.
    public let sentinels: [SentinelServer]

    /// Lends such a site when everybody knows everybody. `arguments` are those of both servers.
    public static func with<Result>(
        _ arguments: [String] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (SentinelSite) async throws -> Result
    ) async throws -> Result {
        let own =
            arguments + [
                "--user", "replica", "on", ">replica", "~*", "&*", "+@all", "--masteruser", "replica", "--masterauth",
                "replica", "--repl-diskless-sync-delay", "0",
            ]
        return try await RedisServer.with(own) { first in
            try await RedisServer.with(own + ["--replicaof", "127.0.0.1", "\(first.port)"]) { second in
                try await SentinelServer.with(master: first.port) { one in
                    try await SentinelServer.with(master: first.port) { two in
                        try await SentinelServer.with(master: first.port) { three in
                            let site = SentinelSite(servers: [first, second], sentinels: [one, two, three])
                            try await site.waitUntilReady()
                            return try await body(site)
                        }
                    }
                }
            }
        }
    }

    /// Where the master is for its clients.
    public func url(login: String = "", parameters: String = "") -> String {
        let hosts = sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return "redis+sentinel://\(login)\(hosts)/\(Self.name)\(parameters)"
    }

    /// Waits until all Sentinels say that this server is the master, and it says so too.
    public func wait(forMaster server: RedisServer) async throws {
        for sentinel in sentinels {
            try await eventually(within: .seconds(60), "the Sentinels' switch") {
                try await sentinel.master() == server.port
            }
        }
        try await eventually("the master's role") { try await server.cli("role").hasPrefix("master") }
    }

    /// Waits until a server is the other one's replica, and has all that it has.
    public func waitUntilReplicated(from master: RedisServer, to replica: RedisServer) async throws {
        try await eventually(within: .seconds(60), "the replica has everything") {
            guard try await Self.field("master_link_status", of: replica) == "up" else { return false }
            let offset = try await Self.field("master_repl_offset", of: master)
            return try await Self.field("slave_repl_offset", of: replica) == offset
        }
    }

    /// Waits until a server is the other one's replica, and follows it.
    public func waitUntilReplica(_ replica: RedisServer, of master: RedisServer) async throws {
        try await eventually(within: .seconds(60), "the replica follows") {
            guard try await Self.field("master_link_status", of: replica) == "up" else { return false }
            return try await Self.field("master_port", of: replica) == "\(master.port)"
        }
    }

    private func waitUntilReady() async throws {
        try await waitUntilReplicated(from: servers[0], to: servers[1])
        for sentinel in sentinels {
            try await eventually(within: .seconds(60), "the Sentinels know each other and the replica") {
                let answer = try await sentinel.cli("sentinel", "master", Self.name).split(separator: "\n")
                func value(_ name: String) -> Substring? {
                    answer.firstIndex { $0 == name }.map { answer[$0 + 1] }
                }
                return value("num-other-sentinels") == "2" && value("num-slaves") == "1" && value("flags") == "master"
            }
        }
    }

    private static func field(_ name: String, of server: RedisServer) async throws -> String? {
        let lines = try await server.cli("info", "replication").split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix(name + ":") }.map { String($0.dropFirst(name.count + 1)) }
    }
}
