/// What one server of a Cluster knows of it.
public struct ClusterView: Hashable, Sendable {
    /// Which server has which slots.
    public var map: SlotMap
    /// Whether the Cluster works, as far as that server sees (`cluster_state:ok`).
    public var isWorking: Bool

    /// Asks one server after another, and gives what the first says that sees the Cluster work; where none does, what
    /// any says. Throws what the last of them did where none answers.
    ///
    /// - Parameter addresses: The servers; nil: those that the URL names.
    public static func read(
        _ url: RedisURL, at addresses: [RedisURL.Address]? = nil, options: RedisConnectionOptions = .init()
    ) async throws(RedisError) -> ClusterView {
        var best: ClusterView?
        var failure = RedisError(.connect, "no server of the Cluster is known")
        for address in addresses ?? url.seeds {
            do throws(RedisError) {
                let connection = try await RedisConnection.connect(to: url.at(address), options: options)
                defer { connection.close() }
                let view = try await connection.clusterView(deadline: options.connectTimeout)
                if view.isWorking, view.map.isComplete { return view }
                if best == nil, !view.map.masters.isEmpty { best = view }
            } catch {
                if error.code == .cancelled { throw error }
                failure = error
            }
        }
        guard let best else { throw failure }
        return best
    }
}

extension RedisURL {
    /// The servers that a Cluster's URL names; of any other there are none.
    public var seeds: [Address] { if case .cluster(let addresses) = deployment { addresses } else { [] } }
}

/// The slots that one master of a Cluster has, and those that are coming or going, as it knows itself.
public struct OwnSlots: Hashable, Sendable {
    /// Its name among the servers of the Cluster.
    public var id: String
    /// Its configuration epoch: another one when it became a master, or was given a slot and had not the highest already.
    public var epoch: String
    /// The slots that it has.
    public var owned: Set<RedisSlot>
    /// Those of them that are on their way to another server, and that one's ``id``.
    public var migrating: [RedisSlot: String]
    /// Those of others that are on their way here.
    public var importing: Set<RedisSlot>

    /// Reads a server's own line of `CLUSTER NODES`: `ID ADDRESS myself,master - 0 0 EPOCH connected SLOTS…`, where
    /// slots are `7`, `0-5460`, `[93->-ID]` or `[77-<-ID]`. Nil when there is none.
    public init?(clusterNodes text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: " ") }
        guard let own = lines.first(where: { $0.count >= 8 && $0[2].split(separator: ",").contains("myself") })
        else { return nil }
        (id, epoch, owned, migrating, importing) = (String(own[0]), String(own[6]), [], [:], [])
        for word in own[8...] {
            if word.hasPrefix("[") {
                let slot = Int(word.dropFirst().prefix { $0.isNumber }).map(RedisSlot.init)
                guard let slot else { return nil }
                if let arrow = word.firstRange(of: "->-") {
                    migrating[slot] = String(word[arrow.upperBound...].dropLast())
                } else {
                    importing.insert(slot)
                }
            } else {
                let ends = word.split(separator: "-").compactMap { Int($0) }
                guard let first = ends.first, let last = ends.last, 0 <= first, first <= last, last < RedisSlot.count
                else { return nil }
                for number in first...last { owned.insert(RedisSlot(number)) }
            }
        }
    }
}

extension RedisConnection {
    /// Asks a server of a Cluster what it knows of it. Throws `refused` when it belongs to none or doesn't say, and what
    /// ``pipeline(_:deadline:)`` throws.
    public func clusterView(deadline: Duration) async throws(RedisError) -> ClusterView {
        let replies = try await pipeline(
            [RedisCommand("CLUSTER", "INFO"), RedisCommand("CLUSTER", "SLOTS")], deadline: deadline)
        for reply in replies {
            if case .error(let refusal) = reply { throw RedisError(.refused, refusal.text, doing: "CLUSTER on \(url)") }
        }
        guard case .standalone(let address) = url.deployment, let map = SlotMap(replies[1], askedAt: address) else {
            throw RedisError(.refused, "CLUSTER SLOTS was answered with no slots", doing: "CLUSTER on \(url)")
        }
        return ClusterView(map: map, isWorking: replies[0].text?.contains("cluster_state:ok") ?? false)
    }
}
