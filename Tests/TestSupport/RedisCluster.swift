import Redis

/// A throwaway Redis Cluster of three masters with a replica each, on loopback.
public final class RedisCluster: Sendable {
    /// Its servers; the first three were masters at first.
    public let servers: [RedisServer]
    private let tls: TLS?
    private static let masterCount = 3

    /// How its servers speak TLS, with one another too.
    private struct TLS {
        let authority: TestAuthority
        var ports: [TLSPort] = []

        mutating func addPort() async throws -> [String] {
            let port = try TLSPort(try await authority.certificate(), clients: authority)
            ports.append(port)
            // Clients need no certificate; servers show theirs to one another all the same.
            return port.arguments + ["--tls-auth-clients", "no", "--tls-cluster", "yes", "--tls-replication", "yes"]
        }
    }

    /// Lends a running Cluster in which every server knows every slot's master, and ends it afterwards.
    ///
    /// - Parameter authority: the CA of the servers' certificates; nil: they speak no TLS.
    public static func with<Result>(
        authority: TestAuthority? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: (RedisCluster) async throws -> Result
    ) async throws -> Result {
        try await with([], authority.map { TLS(authority: $0) }, isolation: isolation, body)
    }

    private static func with<Result>(
        _ servers: [RedisServer], _ tls: TLS?, isolation: isolated (any Actor)?,
        _ body: (RedisCluster) async throws -> Result
    ) async throws -> Result {
        guard servers.count == 2 * masterCount else {
            var tls = tls
            let arguments = [
                "--cluster-enabled", "yes", "--cluster-port", "\(try ServerProcess.freePort())",
                // Short, so that a failover is soon over, and long enough for a machine that has much to do.
                "--cluster-node-timeout", "3000", "--cluster-replica-validity-factor", "0",
                "--repl-diskless-sync-delay", "0",
            ]
            let more = try await tls?.addPort() ?? []
            let next = tls
            return try await RedisServer.with(arguments + more) { server in
                try await with(servers + [server], next, isolation: isolation, body)
            }
        }
        let cluster = RedisCluster(servers, tls)
        try await cluster.form()
        return try await body(cluster)
    }

    private init(_ servers: [RedisServer], _ tls: TLS?) { (self.servers, self.tls) = (servers, tls) }

    /// Where it is: `redis+cluster://127.0.0.1:PORT,…` with two of its servers, or by TLS.
    public var url: String {
        let seeds = [0, 4].map { "127.0.0.1:\(ports[$0])" }.joined(separator: ",")
        return tls.map { "rediss+cluster://\(seeds)?ca=\($0.authority.file)" } ?? "redis+cluster://\(seeds)"
    }

    private var ports: [Int] { tls?.ports.map(\.number) ?? servers.map(\.port) }

    /// Makes a Cluster of the servers.
    private func form() async throws {
        let addresses = ports.map { "127.0.0.1:\($0)" }
        let trust = tls.map { ["--tls", "--cacert", $0.authority.file] } ?? []
        let answer = try await command(
            "redis-cli", trust + ["--cluster", "create"] + addresses + ["--cluster-replicas", "1", "--cluster-yes"])
        try await eventually(within: .seconds(30), "a Cluster: \(answer.suffix(500))") {
            for server in servers {
                let nodes = try await server.cli("cluster", "nodes")
                guard nodes.contains(" connected"), !nodes.contains("handshake"), !nodes.contains("fail"),
                    nodes.split(separator: "\n").count(where: { $0.contains("slave ") }) == Self.masterCount,
                    try await server.cli("cluster", "info").contains("cluster_state:ok")
                else { return false }
                if nodes.contains("myself,slave") {
                    guard try await server.cli("info", "replication").contains("master_link_status:up") else {
                        return false
                    }
                }
            }
            return true
        }
    }

    /// The server that says it is the master of a slot.
    public func master(of slot: RedisSlot) async throws -> RedisServer? {
        for server in servers {
            let own = try? await server.cli("cluster", "nodes")
            if own.flatMap({ OwnSlots(clusterNodes: $0) })?.owned.contains(slot) ?? false { return server }
        }
        return nil
    }

    /// The servers that are masters now, and those that aren't.
    public func roles() async throws -> (masters: [RedisServer], replicas: [RedisServer]) {
        var roles = (masters: [RedisServer](), replicas: [RedisServer]())
        for server in servers {
            guard let role = try? await server.cli("role") else { continue }
            if role.hasPrefix("master") { roles.masters.append(server) }
            if role.hasPrefix("slave") { roles.replicas.append(server) }
        }
        return roles
    }

    /// Hands a slot over with all its keys, as `redis-cli --cluster reshard` does, from one master to another.
    ///
    /// - Parameter arrived: called when the keys are there and the slot is not yet.
    public func move(
        _ slot: RedisSlot, from source: RedisServer, to destination: RedisServer,
        arrived: () async throws -> Void = {}
    ) async throws {
        let ends = try await [source, destination].asyncMap { try await RedisConnection.connect(to: $0.url()) }
        func send(_ server: Int, _ words: [String]) async throws -> RedisReply {
            var command = RedisCommand()
            for word in words { command.append(Array(word.utf8)) }
            let reply = try await ends[server].send(command, deadline: .seconds(30))
            if case .error(let error) = reply { throw TestError("\(words[0...1]): \(error.text)") }
            return reply
        }
        let ids = try await [0, 1].asyncMap { try await send($0, ["CLUSTER", "MYID"]).text ?? "" }
        let number = "\(slot.number)"
        _ = try await send(1, ["CLUSTER", "SETSLOT", number, "IMPORTING", ids[0]])
        _ = try await send(0, ["CLUSTER", "SETSLOT", number, "MIGRATING", ids[1]])
        while case .array(let keys) = try await send(0, ["CLUSTER", "GETKEYSINSLOT", number, "10"]), !keys.isEmpty {
            var migrate = RedisCommand("MIGRATE", "127.0.0.1", "\(destination.port)", "", "0", "10000", "KEYS")
            for case .bulk(let key) in keys { migrate.append(key) }
            if case .error(let error) = try await ends[0].send(migrate, deadline: .seconds(30)) {
                throw TestError("MIGRATE: \(error.text)")
            }
        }
        try await arrived()
        _ = try await send(1, ["CLUSTER", "SETSLOT", number, "NODE", ids[1]])
        _ = try await send(0, ["CLUSTER", "SETSLOT", number, "NODE", ids[1]])
        for server in servers where server.port != source.port && server.port != destination.port {
            _ = try? await server.cli("cluster", "setslot", number, "node", ids[1])
        }
    }
}

extension Array where Element: Sendable {
    fileprivate func asyncMap<Value>(
        isolation: isolated (any Actor)? = #isolation, _ transform: (Element) async throws -> Value
    ) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
