import Rules
import TestSupport

@testable import Delivery
@testable import Redis

/// A server in a test of ``Unlinking``: it fails by its own fault at random, and always by that of some keys.
struct UnlinkingServer {
    let keys: [Key]
    let fencing: Fencing
    private let fenced: Set<Key>
    /// Keys whose deletion fails, and keys whose token can't be set.
    let undeletable: Set<Key>
    let unfenceable: Set<Key>
    private let troubleRate: Double

    /// Keys whose deletion was acknowledged in a pipeline without trouble for their chunk.
    private(set) var deleted: Set<Key> = []
    /// Fenced keys among them that had no token in any such pipeline.
    var deletedWithoutToken: Set<Key> { deleted.intersection(fenced).subtracting(deletedBehindToken) }
    /// Tokens that an earlier pipeline had already.
    private(set) var tokensSeenBefore = 0
    private var deletedBehindToken: Set<Key> = []
    private var tokens: Set<[UInt8]> = []

    init(using random: inout SeededGenerator) {
        let keys = (0..<Int.random(in: 0...40, using: &random)).map { Key("key:\($0)") }
        self.keys = keys
        let some = Set(keys.filter { _ in Bool.random(using: &random) })
        (fencing, fenced) = [(.none, []), (.these(some), some), (.all, Set(keys))].randomElement(using: &random)!
        undeletable = Set(keys.filter { _ in Int.random(in: 0..<20, using: &random) == 0 })
        unfenceable = Set(keys.filter { _ in Int.random(in: 0..<20, using: &random) == 0 })
        troubleRate = [0, 0.02, 0.2].randomElement(using: &random)!
    }

    /// What can't be done.
    var expectedFailures: Set<Key> { undeletable.union(unfenceable.intersection(fenced)) }

    /// Answers a pipeline.
    mutating func replies(to pipeline: [RedisCommand], _ random: inout SeededGenerator) -> [RedisReply] {
        var withToken: Set<Key> = []
        let replies = pipeline.map { command in
            let words = command.words
            if Double.random(in: 0..<1, using: &random) < troubleRate {
                return RedisReply.error(RedisErrorReply("LOADING wait"))
            }
            if command.name == "SET" {
                let key = Key(bytes: Array(words[1].dropFirst(Fence.prefix.count)))
                if unfenceable.contains(key) { return .error(RedisErrorReply("ERR no token")) }
                withToken.insert(key)
                return .simpleString("OK")
            }
            let keys = Set(words.dropFirst().map { Key(bytes: $0) })
            if !keys.isDisjoint(with: undeletable) { return .error(RedisErrorReply("WRONGTYPE no")) }
            deleted.formUnion(keys)
            deletedBehindToken.formUnion(keys.intersection(withToken))
            return .integer(keys.count)
        }
        let used = Set(pipeline.filter { $0.name == "SET" }.map { $0.words[2] })
        tokensSeenBefore += used.intersection(tokens).count + max(0, used.count - 1)
        tokens.formUnion(used)
        return replies
    }
}

extension RedisCommand {
    /// Its name and its arguments.
    var words: [[UInt8]] {
        zip([0] + ends, ends).map { Array(bytes[$0..<$1]) }
    }
}
