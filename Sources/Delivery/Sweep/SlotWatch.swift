import Redis

/// Which slots of a Cluster changed hands while something was done with the keys of its servers, one beside the other.
struct SlotWatch: Sendable {
    typealias Ownership = [RedisURL.Address: OwnSlots]

    let servers: Servers

    /// How often the servers are asked: a slot must not go and come back, and its server be given another, in between.
    private static let interval = Duration.milliseconds(250)

    private enum Event<Result: Sendable> {
        case timeToLook
        case end(Result?)
    }

    /// Does something with the keys of these masters. Gives what came of it, and the slots whose keys may have gone from one
    /// server to another meanwhile. Nil: nobody can tell which, or nothing came of it.
    func whileWatching<Result: Sendable>(
        _ members: [Servers.Member], _ body: @escaping @Sendable () async throws(CancellationError) -> Result?
    ) async throws(CancellationError) -> (result: Result, moved: Set<RedisSlot>)? {
        guard var last = try await ownership(of: members) else { return nil }
        do {
            return try await withThrowingTaskGroup(of: Event<Result>.self) { group in
                group.addTask { .end(try await body()) }
                group.addTask { try await Self.timeToLook() }
                defer { group.cancelAll() }
                var moved: Set<RedisSlot> = []
                while let event = try await group.next(), let now = try await ownership(of: members),
                    let slots = Self.unsettled(last, now)
                {
                    moved.formUnion(slots)
                    last = now
                    switch event {
                    case .timeToLook: group.addTask { try await Self.timeToLook() }
                    case .end(let result): return result.map { ($0, moved) }
                    }
                }
                return nil
            }
        } catch {
            throw CancellationError()
        }
    }

    /// The period of the looks.
    private static func timeToLook<Result>() async throws -> Event<Result> {
        try await Task.sleep(for: interval)
        return .timeToLook
    }

    /// Who has which slots, as each of these masters knows itself. Nil: the connection to one was lost, or there are slots
    /// that none of them has, but perhaps a new one.
    func ownership(of members: [Servers.Member]) async throws(CancellationError) -> Ownership? {
        var ownership: Ownership = [:]
        for member in members {
            let nodes = RedisCommand("CLUSTER", "NODES")
            guard let reply = try await member.link.attempt([nodes], on: member.connection)?.first else { return nil }
            guard let own = reply.text.flatMap(OwnSlots.init(clusterNodes:)) else {
                await member.link.pause("CLUSTER NODES was answered with no nodes", of: member.connection, probe: nodes)
                return nil
            }
            ownership[member.address] = own
        }
        if Self.isComplete(ownership) { return ownership }
        servers.topology.doubt()
        return nil
    }

    /// Whether each slot is some server's.
    static func isComplete(_ ownership: Ownership) -> Bool {
        ownership.values.reduce(into: Set<RedisSlot>()) { $0.formUnion($1.owned) }.count == RedisSlot.count
    }

    /// The slots whose keys may have gone from one server to another between two looks. Nil: nobody can tell which, for
    /// a server was given slots that it doesn't have any more, or had before. It has another epoch then: when a slot comes
    /// back, the server that had it in between has the highest, and whoever takes over a slot gets a higher one.
    static func unsettled(_ before: Ownership, _ after: Ownership) -> Set<RedisSlot>? {
        var slots: Set<RedisSlot> = []
        for (address, now) in after {
            guard let then = before[address] else { return nil }
            if now.epoch != then.epoch, now.owned.isSubset(of: then.owned) { return nil }
            slots.formUnion(now.owned.symmetricDifference(then.owned))
            for own in [now, then] { slots.formUnion(own.importing.union(own.migrating.keys)) }
        }
        return slots
    }
}
