import Redis
import Rules

/// Keys on their way to being deleted: which commands to send next, and what their replies mean. A value without
/// I/O. A command that fails by its own fault is taken apart, so that one bad key doesn't hold up its neighbours.
///
/// A fenced key gets a new token in the same pipeline, before the command that deletes it: a reader that took the
/// one before either has stored by then, and its entry is deleted, or can't store any more. Where Redis has no room
/// for a token, the old one is deleted, which keeps the reader from storing just as well.
struct Unlinking {
    /// The longest string that Redis takes (`proto-max-bulk-len`); for a longer one it hangs up.
    static let maximumKeyLength = 512 << 20

    private enum Fences: Hashable {
        case none
        case tokens
        /// There is no room for tokens, so those that there are are deleted.
        case removed
        /// Their names would be longer than Redis allows, or in another slot than the keys: for this reason.
        case impossible(String)
    }

    /// Keys that one command deletes, behind the tokens of all of them where they have any.
    private struct Chunk {
        let keys: ArraySlice<Key>
        let fences: Fences

        /// How many replies it gets: the last is the deletion's, those before it are the tokens' of its keys.
        var commandCount: Int { fences == .tokens ? keys.count + 1 : 1 }

        /// What kept each of its keys from being fenced, when these are its replies.
        func fenceTroubles(_ replies: ArraySlice<RedisReply>) -> [Trouble?] {
            switch fences {
            case .none, .removed: keys.map { _ in nil }
            case .tokens: replies.dropLast().map(\.trouble)
            case .impossible(let reason): keys.map { _ in .action(reason) }
            }
        }

        /// A chunk for each of its keys.
        var apart: [Chunk] { keys.indices.map { Chunk(keys: keys[$0...$0], fences: fences) } }

        /// Whether its keys can't be fenced.
        var isImpossible: Bool { if case .impossible = fences { true } else { false } }

        /// About what its commands take.
        var bytes: Int {
            let keyBytes = keys.reduce(0) { $0 + $1.bytes.count }
            return switch fences {
            case .none, .impossible: keyBytes
            case .tokens: 2 * keyBytes + keys.count * (Fence.prefix.count + Fence.tokenLength)
            case .removed: 2 * keyBytes + keys.count * Fence.prefix.count
            }
        }

        /// What its last command deletes.
        func deleted(_ companions: CompanionName) -> [[UInt8]] {
            let fences = fences == .removed ? keys.compactMap(companions.fence) : []
            return fences.map(\.bytes) + keys.map(\.bytes)
        }
    }

    /// Those that can't be deleted, and those that are deleted but can't be fenced.
    private(set) var failures: [Failure] = []
    /// What Redis has not acknowledged; the next pipeline's are the last.
    private var chunks: [Chunk] = []
    private let companions: CompanionName
    private let keysPerCommand: Int
    private let bytesPerPipeline: Int

    init(
        _ keys: [Key], fencing: Fencing = .none, companions: CompanionName, keysPerCommand: Int,
        bytesPerPipeline: Int
    ) {
        self.companions = companions
        self.keysPerCommand = keysPerCommand
        self.bytesPerPipeline = bytesPerPipeline
        let (sound, long) = Self.split(keys, at: Self.maximumKeyLength)
        failures = long.map { Failure(key: $0, reason: Failure.longKey) }
        switch fencing {
        case .none: append(sound, .none)
        case .these(let fenced):
            append(sound.filter { !fenced.contains($0) }, .none)
            appendFenced(sound.filter { fenced.contains($0) })
        case .all: appendFenced(sound)
        }
    }

    /// Whether each key is deleted or among the failures.
    var isDone: Bool { chunks.isEmpty }

    /// The next pipeline, a group for each chunk. All its tokens are the same one, for a token need only differ from
    /// those before it.
    func groups(using random: inout some RandomNumberGenerator) -> [CommandGroup] {
        let next = chunks.suffix(pipelineLength)
        let token = next.contains { $0.fences == .tokens } ? Fence.token(using: &random) : []
        return next.map { chunk in
            var commands: [RedisCommand] = []
            commands.reserveCapacity(chunk.commandCount)
            if chunk.fences == .tokens {
                commands += chunk.keys.compactMap(companions.fence).map { Fence.renewal(at: $0, token: token) }
            }
            commands.append(RedisCommand("UNLINK", chunk.deleted(companions)))
            return CommandGroup(key: chunk.keys.first, commands: commands)
        }
    }

    /// Takes the replies to ``groups(using:)``; nil: there were none. What the target was not fit to do stays to be
    /// done. Returns whether anything was.
    mutating func settle(_ replies: [[RedisReply]?]) -> Bool {
        let settled = chunks.suffix(replies.count)
        chunks.removeLast(replies.count)
        var again: [Chunk] = []
        for (chunk, replies) in zip(settled, replies) {
            again += replies.map { settle(chunk, $0[...]) } ?? [chunk]
        }
        chunks += again
        return again.count < settled.count
    }

    /// What of a chunk stays to be done: all of it, tokens included, when one of the replies tells of trouble of
    /// the target.
    private mutating func settle(_ chunk: Chunk, _ replies: ArraySlice<RedisReply>) -> [Chunk] {
        guard chunk.isImpossible || replies.contains(where: { $0.trouble != nil }) else { return [] }
        if chunk.keys.count > 1, replies.contains(where: \.tellsOfSplitSlot) { return chunk.apart }
        if replies.contains(where: { $0.trouble?.isTargets == true }) { return [chunk] }
        if replies.contains(where: \.tellsOfFullMemory) { return [Chunk(keys: chunk.keys, fences: .removed)] }
        let deletion = replies.last?.trouble
        if deletion != nil, chunk.keys.count > 1 {
            return chunk.apart
        }
        for (key, fence) in zip(chunk.keys, chunk.fenceTroubles(replies)) {
            if case .action(let reason)? = deletion ?? fence { failures.append(Failure(key: key, reason: reason)) }
        }
        return []
    }

    private mutating func appendFenced(_ keys: [Key]) {
        let (named, unnamed) = partition(keys) { companions.fence(of: $0) != nil }
        // Around the key there may be two braces.
        let (possible, long) = Self.split(named, at: Self.maximumKeyLength - Fence.prefix.count - 2)
        append(possible, .tokens)
        append(long, .impossible(Failure.longFence))
        append(unnamed, .impossible(Failure.braces))
    }

    /// Nearly always all of them are.
    private func partition(_ keys: [Key], by holds: (Key) -> Bool) -> (those: [Key], others: [Key]) {
        guard companions.sharesSlot else { return (keys, []) }
        return (keys.filter(holds), keys.filter { !holds($0) })
    }

    /// In chunks of some keys, each of which has those of one slot.
    private mutating func append(_ keys: [Key], _ fences: Fences) {
        guard companions.sharesSlot else { return appendChunks(keys[...], fences) }
        let slots = keys.map { (slot: RedisSlot(of: $0.bytes), key: $0) }.sorted { $0.slot < $1.slot }
        let sorted = slots.map(\.key)
        var start = 0
        while start < slots.count {
            let end = slots[start...].firstIndex { $0.slot != slots[start].slot } ?? slots.count
            appendChunks(sorted[start..<end], fences)
            start = end
        }
    }

    private mutating func appendChunks(_ keys: ArraySlice<Key>, _ fences: Fences) {
        var rest = keys
        while !rest.isEmpty {
            chunks.append(Chunk(keys: rest.prefix(keysPerCommand), fences: fences))
            rest = rest.dropFirst(keysPerCommand)
        }
    }

    /// Those keys that are longer are rare.
    private static func split(_ keys: [Key], at length: Int) -> (fitting: [Key], longer: [Key]) {
        guard keys.contains(where: { $0.bytes.count > length }) else { return (keys, []) }
        return (keys.filter { $0.bytes.count <= length }, keys.filter { $0.bytes.count > length })
    }

    /// How many of the last chunks make a pipeline.
    private var pipelineLength: Int {
        var bytes = 0
        let fitting = chunks.reversed().prefix { chunk in
            defer { bytes += chunk.bytes }
            return bytes < bytesPerPipeline
        }
        return fitting.count
    }
}
