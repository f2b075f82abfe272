/// Which server of a deployment has which keys. A value without I/O; a deployment without slots is one in which one
/// server has all of them.
public struct SlotMap: Hashable, Sendable {
    /// The masters that have slots, in the order of their first ones.
    public private(set) var masters: [RedisURL.Address]
    /// For each slot the index of its master; -1: none has it. Empty: the only one has all.
    private var owners: [Int16]

    /// The map of a server that has all keys.
    public init(only address: RedisURL.Address) {
        masters = [address]
        owners = []
    }

    /// The map that `CLUSTER SLOTS` tells: arrays of first slot, last slot, master, replicas. Nil when it is something
    /// else.
    ///
    /// - Parameter asked: Who told it, for a server may leave out its own host.
    public init?(_ reply: RedisReply, askedAt asked: RedisURL.Address) {
        guard case .array(let ranges) = reply else { return nil }
        masters = []
        owners = [Int16](repeating: -1, count: RedisSlot.count)
        for range in ranges {
            guard case .array(let parts) = range, parts.count >= 3, case .integer(let first) = parts[0],
                case .integer(let last) = parts[1], case .array(let master) = parts[2], master.count >= 2,
                case .integer(let port) = master[1], 0 <= first, first <= last, last < RedisSlot.count,
                let address = RedisURL.Address(host: master[0].text ?? "", port: port, askedAt: asked)
            else { return nil }
            let owner = index(of: address)
            for slot in first...last { owners[slot] = owner }
        }
    }

    /// Whether keys are spread over servers by their slots.
    public var isCluster: Bool { !owners.isEmpty }

    /// Whether some server has every slot.
    public var isComplete: Bool { !owners.contains(-1) }

    /// Who has a slot; nil: nobody.
    public subscript(slot: RedisSlot) -> RedisURL.Address? {
        guard isCluster else { return masters[0] }
        let owner = owners[slot.number]
        return owner < 0 ? nil : masters[Int(owner)]
    }

    /// A slot has another master.
    public mutating func move(_ slot: RedisSlot, to address: RedisURL.Address) {
        guard isCluster else { return }
        owners[slot.number] = index(of: address)
    }

    private mutating func index(of address: RedisURL.Address) -> Int16 {
        if let index = masters.firstIndex(of: address) { return Int16(index) }
        masters.append(address)
        return Int16(masters.count - 1)
    }
}
