import Redis

/// Reads the keys of slots that are changing hands. A slot is read where it is and then where it goes: keys go that way
/// only, so whoever is missed in the first place is met in the second. It counts when the slot is still, or has arrived,
/// where it was by then.
struct SlotVisit {
    let watch: SlotWatch
    let slots: Set<RedisSlot>
    /// The share of Redis' time that it may take.
    let share: Double

    /// How often in a row some slots are looked for, none of which is in a place where it can be read.
    private static let attempts = 50
    /// So many at a time, whose keys are in memory together.
    private static let batch = 16
    /// A server that has more keys of a slot is scanned instead: it does nothing else while it lists them.
    private static let listLimit = 10_000

    private struct Place: Equatable {
        let owner: RedisURL.Address
        /// The owner's: another one when the slot has been elsewhere meanwhile.
        let epoch: String
        let importer: RedisURL.Address?

        /// Whether what was read here and then where the slot goes was all, when it is there afterwards.
        func hasSettled(in now: Place) -> Bool {
            now == self || importer != nil && now.owner == importer && now.importer == nil
        }
    }

    private struct Read {
        var keys: [RedisSlot: [[UInt8]]]
        var failed: Set<RedisSlot> = []
    }

    /// Gives the keys of each slot to `take`; false when they can't be had. Where a slot has very many, its servers are
    /// given to `scan`.
    func run(
        scan: (Servers.Member) async throws(CancellationError) -> Void?,
        take: ([[UInt8]]) async throws(CancellationError) -> Void
    ) async throws(CancellationError) -> Bool {
        var left = Array(slots)
        var retries = Retries(of: watch.servers)
        var failures = 0
        while !left.isEmpty, failures < Self.attempts {
            let some = left.prefix(Self.batch)
            let start = ContinuousClock.now
            let found = try await read(some, scan)
            for keys in found.values { try await take(keys) }
            let end = ContinuousClock.now
            left = left.dropFirst(some.count) + some.filter { found[$0] == nil }
            if found.isEmpty {
                failures += 1
                watch.servers.topology.doubt()
                try await retries.failed("slot \(some[0].number) is stuck: it can't be told which server has its keys")
            } else {
                failures = 0
                retries.succeeded()
                // The pace.
                let rest = SweepPace.rest(after: end - start, share: share)
                do { try await Task.sleep(until: end + rest) } catch { throw CancellationError() }
            }
        }
        return left.isEmpty
    }

    /// The keys of those slots that could be read.
    private func read(
        _ slots: ArraySlice<RedisSlot>, _ scan: (Servers.Member) async throws(CancellationError) -> Void?
    ) async throws(CancellationError) -> [RedisSlot: [[UInt8]]] {
        let members = try await watch.servers.members()
        guard let before = try await watch.ownership(of: members) else { return [:] }
        let places = slots.reduce(into: [RedisSlot: Place]()) { $0[$1] = Self.place(of: $1, before) }
        var read = Read(keys: places.mapValues { _ in [] })
        // First all where they are, then all where they go.
        for end in [{ $0.owner }, { $0.importer }] as [(Place) -> RedisURL.Address?] {
            for member in members {
                let slots = places.filter { end($0.value) == member.address }.map(\.key)
                try await self.read(slots, on: member, &read, scan)
            }
        }
        guard let after = try await watch.ownership(of: members) else { return [:] }
        return read.keys.filter { slot, _ in
            guard !read.failed.contains(slot), let then = places[slot], let now = Self.place(of: slot, after) else {
                return false
            }
            return then.hasSettled(in: now)
        }
    }

    /// Where a slot is and where it goes; nil: that can't be told, for two servers have it in the moment when it arrives,
    /// or it goes to one that has no other slot yet. Where the one that it was on its way to doesn't expect it, somebody has
    /// left off half-way, and it is where it was.
    private static func place(of slot: RedisSlot, _ ownership: SlotWatch.Ownership) -> Place? {
        let owners = ownership.filter { $0.value.owned.contains(slot) }
        guard owners.count == 1, let owner = owners.first else { return nil }
        let importer = ownership.first { $0.value.importing.contains(slot) }?.key
        if importer == nil, let destination = owner.value.migrating[slot] {
            guard ownership.values.contains(where: { $0.id == destination }) else { return nil }
        }
        return Place(owner: owner.key, epoch: owner.value.epoch, importer: importer)
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
