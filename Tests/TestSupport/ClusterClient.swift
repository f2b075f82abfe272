import Redis

/// A client of a Cluster as an application has it: it follows redirections, and tries again until its deadline.
public actor ClusterClient {
    private let url: RedisURL
    private var map: SlotMap?
    private var connections: [RedisURL.Address: RedisConnection] = [:]
    private let deadline: Duration

    /// A client of the Cluster at a `redis+cluster://` URL.
    public init(_ url: RedisURL, deadline: Duration = .seconds(30)) {
        self.url = url
        self.deadline = deadline
    }

    /// Sends commands about one key each. Gives their replies.
    public func send(_ commands: [(key: [UInt8], command: RedisCommand)]) async throws -> [RedisReply] {
        var replies = [RedisReply?](repeating: nil, count: commands.count)
        try await eventually(within: deadline, "replies of the Cluster") {
            var nodes: [RedisURL.Address: [Int]] = [:]
            let map = try await currentMap()
            for index in commands.indices where replies[index] == nil {
                guard let node = map[RedisSlot(of: commands[index].key)] else { continue }
                nodes[node, default: []].append(index)
            }
            for (node, indexes) in nodes {
                guard let answers = try? await pipeline(indexes.map { commands[$0].command }, at: node) else {
                    continue
                }
                for (index, answer) in zip(indexes, answers) {
                    replies[index] = try await final(answer, to: commands[index].command, from: node)
                }
            }
            if replies.contains(nil) { self.map = nil }
            return !replies.contains(nil)
        }
        return replies.compactMap(\.self)
    }

    /// All keys of all masters.
    public func keys() async throws -> [[UInt8]] {
        map = nil
        var keys: [[UInt8]] = []
        for node in try await currentMap().masters {
            guard case .array(let names) = try await pipeline([RedisCommand("KEYS", "*")], at: node)[0] else {
                continue
            }
            keys += names.compactMap { if case .bulk(let name) = $0 { name } else { nil } }
        }
        return keys
    }

    /// The reply that counts; nil: it is to be tried again.
    private func final(
        _ answer: RedisReply, to command: RedisCommand, from node: RedisURL.Address
    ) async throws -> RedisReply? {
        guard case .error(let error) = answer else { return answer }
        switch Redirection(error, askedAt: node) {
        case .ask(_, let address)?:
            guard let replies = try? await pipeline([RedisCommand("ASKING"), command], at: address) else { return nil }
            if case .error = replies[1] { return nil }
            return replies[1]
        case .moved?: return nil
        case nil: return ["TRYAGAIN", "CLUSTERDOWN", "LOADING"].contains(error.code) ? nil : answer
        }
    }

    private func currentMap() async throws -> SlotMap {
        if let map { return map }
        guard case .cluster(let seeds) = url.deployment else { throw TestError("\(url) is no Cluster") }
        for node in (Array(connections.keys) + seeds).shuffled() {
            guard let connection = try? await connection(to: node),
                let view = try? await connection.clusterView(deadline: .seconds(5)), view.isWorking
            else {
                connections[node] = nil
                continue
            }
            map = view.map
            return view.map
        }
        throw TestError("no server tells the slots")
    }

    private func pipeline(_ commands: [RedisCommand], at node: RedisURL.Address) async throws -> [RedisReply] {
        do {
            return try await connection(to: node).pipeline(commands, deadline: .seconds(5))
        } catch {
            connections[node] = nil
            throw error
        }
    }

    private func connection(to node: RedisURL.Address) async throws -> RedisConnection {
        if let connection = connections[node], connection.isOpen { return connection }
        let connection = try await RedisConnection.connect(to: url.at(node))
        connections[node] = connection
        return connection
    }
}
