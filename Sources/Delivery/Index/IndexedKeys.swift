import Redis

/// What is known of the keys of a server, and whether that is all of them: an index without its I/O.
///
/// Once it is complete it misses no key, but has some that are gone: a key that was written, deleted or has expired is
/// heard of in the same way, so it is kept, and marked until somebody has looked.
struct IndexedKeys {
    /// How much is known.
    enum Phase: Hashable {
        /// Nothing.
        case off
        /// What has changed since a moment, and not all that was there before.
        case filling
        /// Every key.
        case complete
    }

    private(set) var phase = Phase.off
    private(set) var pages = KeyPages()
    /// Changes whenever something was perhaps not heard of: what was known in another epoch doesn't count.
    private(set) var epoch = 0
    /// Whether it was given up because the keys take too much memory.
    private(set) var isFull = false
    private let memoryLimit: Int
    /// Who tells of keys: what others still have to say is not listened to.
    private var session = 0

    /// - Parameter memoryLimit: The most that the keys may take, in bytes.
    init(memoryLimit: Int) { self.memoryLimit = memoryLimit }

    /// From now on keys are heard of, by what this returns. Nothing is known yet.
    mutating func begin() -> Int {
        isFull = false
        startOver(.filling)
        session = epoch
        return session
    }

    /// Keys are not heard of any more.
    mutating func end() {
        if phase != .off { startOver(.off) }
    }

    /// Redis tells of keys that have changed in some way, or that all have.
    mutating func hear(_ told: RedisReply, in session: Int) {
        guard session == self.session, phase != .off else { return }
        switch told {
        case .strings(let keys): insert(keys, areHeard: true)
        // Not only FLUSHALL is told like that: a replica that takes its master's data has keys that nobody told of.
        default: startOver(.filling)
        }
    }

    /// Keys that were found. Returns whether to go on: false when all that was found counts no more.
    mutating func fill(_ keys: RedisStrings, in epoch: Int) -> Bool {
        guard epoch == self.epoch, phase == .filling else { return false }
        insert(keys, areHeard: false)
        return phase == .filling
    }

    /// All keys were found that were there when the epoch began.
    mutating func filled(in epoch: Int) {
        if epoch == self.epoch, phase == .filling { phase = .complete }
    }

    /// Some keys with the mark, from a key on, which it loses; nil: there are none, or nobody has to look yet.
    mutating func takeHeard(from start: [UInt8], limit: Int) -> RedisStrings? {
        guard phase == .complete else { return nil }
        let keys = pages.takeHeard(from: start.span, limit: limit)
        return keys.isEmpty ? nil : keys
    }

    /// Somebody has looked whether keys are there that had the mark: the replies to their EXISTS. Those that are gone are
    /// taken out, unless they were heard of again in the meantime: what was told then may be that they have come back.
    mutating func settle(_ keys: RedisStrings, _ replies: [RedisReply], in epoch: Int) {
        guard isComplete(in: epoch) else { return }
        let span = keys.bytes.span
        for (index, reply) in zip(keys.indices, replies) {
            let key = span.extracting(keys.range(at: index))
            switch Self.isThere(reply) {
            case true?: break
            case false?: pages.removeUnlessHeard(key)
            case nil: pages.insert(key, isHeard: true)
            }
        }
    }

    /// The epoch in which every key is known; nil: that is not so.
    var completeEpoch: Int? { phase == .complete ? epoch : nil }

    /// The next keys that begin with a prefix; nil: it is not certain any more that these are all.
    func keys(beginningWith prefix: [UInt8], from start: [UInt8], limit: Int, in epoch: Int) -> RedisStrings? {
        guard isComplete(in: epoch) else { return nil }
        return pages.keys(beginningWith: prefix.span, from: start.span, limit: limit)
    }

    /// Whether nothing has happened since an epoch began that could have been missed.
    func isComplete(in epoch: Int) -> Bool { epoch == self.epoch && phase == .complete }

    /// Whether the key is there, by what EXISTS was answered; nil: that doesn't tell.
    private static func isThere(_ reply: RedisReply) -> Bool? {
        switch reply {
        case .integer(let count): count > 0
        // It has moved to another server of the Cluster, whose index has it: a server that a slot is on its way to was
        // asked for the keys that have arrived.
        case .error(let error): error.code == "MOVED" || error.code == "ASK" ? false : nil
        default: nil
        }
    }

    private mutating func insert(_ keys: RedisStrings, areHeard: Bool) {
        let span = keys.bytes.span
        for index in keys.indices {
            pages.insert(span.extracting(keys.range(at: index)), isHeard: areHeard)
            guard pages.memory <= memoryLimit else {
                startOver(.off)
                isFull = true
                return
            }
        }
    }

    private mutating func startOver(_ phase: Phase) {
        epoch += 1
        pages = KeyPages()
        self.phase = phase
    }
}
