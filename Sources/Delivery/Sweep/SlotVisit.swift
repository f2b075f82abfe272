import Redis

/// Reads the keys of slots that are changing hands. A slot is read where it is and then where it goes: keys go that way
/// only, so whoever is missed in the first place is met in the second. It counts when the slot is still, or has arrived,
/// where it was by then.
struct SlotVisit {
    let watch: SlotWatch
    let slots: Set<RedisSlot>

    /// How often slots are looked for that are in no place where they can be read.
    private static let attempts = 50
    /// A server that has more keys of a slot is scanned instead: it does nothing else while it lists them.
    private static let listLimit = 10_000

    private struct Place: Equatable {
        let owner: RedisURL.Address?
        let importer: RedisURL.Address?
    }

    private struct Read {
        var keys: [RedisSlot: [[UInt8]]]
        var failed: Set<RedisSlot> = []
    }

    /// The keys of each slot; nil when they can't be had. Where a slot has very many, its servers are given to `scan`.
    func keys(
        scan: (Servers.Member) async throws(CancellationError) -> Void?
    ) async throws(CancellationError) -> [[[UInt8]]]? {
        var left = slots
        var found: [[[UInt8]]] = []
        for attempt in 1...Self.attempts where !left.isEmpty {
            let members = try await watch.servers.members()
            guard let before = try await watch.ownership(of: members) else { continue }
            let places = left.reduce(into: [RedisSlot: Place]()) { $0[$1] = Self.place(of: $1, before) }
            var read = Read(keys: places.mapValues { _ in [] })
            // First all where they are, then all where they go.
            for end in [\Place.owner, \Place.importer] {
                for member in members {
                    let slots = places.filter { $0.value[keyPath: end] == member.address }.map(\.key)
                    try await self.read(slots, on: member, &read, scan)
                }
            }
            guard let after = try await watch.ownership(of: members) else { continue }
            for (slot, keys) in read.keys where !read.failed.contains(slot) {
                guard let then = places[slot], let now = Self.place(of: slot, after),
                    now == then || now == Place(owner: then.importer ?? then.owner, importer: nil)
                else { continue }
                found.append(keys)
                left.remove(slot)
            }
            if !left.isEmpty, attempt < Self.attempts {
                watch.servers.topology.doubt()
                try await watch.servers.rest(afterFailures: attempt)
            }
        }
        return left.isEmpty ? found : nil
    }

    /// Where a slot is and where it goes; nil: that can't be told, or is a server that has no other slot yet.
    private static func place(of slot: RedisSlot, _ ownership: SlotWatch.Ownership) -> Place? {
        guard let owner = ownership.first(where: { $0.value.owned.contains(slot) }) else { return nil }
        let importer = ownership.first { $0.value.importing.contains(slot) }?.key
        guard importer != nil || !owner.value.migrating.contains(slot) else { return nil }
        return Place(owner: owner.key, importer: importer)
    }

    /// Adds to the keys of slots those which a server has.
    private func read(
        _ slots: [RedisSlot], on member: Servers.Member, _ read: inout Read,
        _ scan: (Servers.Member) async throws(CancellationError) -> Void?
    ) async throws(CancellationError) {
        guard !slots.isEmpty else { return }
        let counts = try await ask(member, slots.map { ["COUNTKEYSINSLOT", "\($0.number)"] })?.map { reply in
            if case .integer(let count) = reply { count } else { 0 }
        }
        if let counts, counts.contains(where: { $0 > Self.listLimit }) {
            if try await scan(member) == nil { read.failed.formUnion(slots) }
            return
        }
        // Some may have come since.
        let limits = (counts ?? []).map { $0 + 1_000 }
        let lists = try await ask(member, zip(slots, limits).map { ["GETKEYSINSLOT", "\($0.number)", "\($1)"] })
        for (index, slot) in slots.enumerated() {
            guard let lists, lists.indices.contains(index), case .array(let names) = lists[index],
                names.count < limits[index]
            else {
                read.failed.insert(slot)
                continue
            }
            read.keys[slot, default: []] += names.compactMap { if case .bulk(let name) = $0 { name } else { nil } }
        }
    }

    private func ask(
        _ member: Servers.Member, _ questions: [[String]]
    ) async throws(CancellationError) -> [RedisReply]? {
        let commands = questions.map { RedisCommand("CLUSTER", $0.map { Array($0.utf8) }) }
        return try await member.link.attempt(commands, on: member.connection)
    }
}
