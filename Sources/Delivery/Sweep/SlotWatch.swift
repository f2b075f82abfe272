import Redis

/// Which slots of a Cluster changed hands while its servers were scanned, one beside the other.
struct SlotWatch: Sendable {
    typealias Ownership = [RedisURL.Address: OwnSlots]

    let servers: Servers

    /// Who has which slots, as each of these masters knows itself; nil when the connection to one was lost.
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
        return ownership
    }

    /// The slots whose keys may have gone from one server to another between two looks. Nil: nobody can tell which, for
    /// a server was given slots that it doesn't have any more, or had before; each gift gives it another epoch.
    static func unsettled(_ before: Ownership, _ after: Ownership) -> Set<RedisSlot>? {
        var slots: Set<RedisSlot> = []
        for (address, now) in after {
            guard let then = before[address] else { return nil }
            if now.epoch != then.epoch, now.owned.isSubset(of: then.owned) { return nil }
            slots.formUnion(now.owned.symmetricDifference(then.owned))
            for own in [now, then] { slots.formUnion(own.migrating.union(own.importing)) }
        }
        return slots
    }
}
