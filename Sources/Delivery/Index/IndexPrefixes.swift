import Redis
import Rules

/// Which keys an index has: those with one of its prefixes, and the fences of such keys.
struct IndexPrefixes {
    /// What the keys of an application begin with.
    private let prefixes: [[UInt8]]
    /// What to ask Redis for: none is another's beginning, which it would refuse.
    let tracked: [[UInt8]]
    /// Whether a key is one of them.
    private let matcher: PatternSet

    init(_ prefixes: [String]) {
        self.prefixes = prefixes.map { Array($0.utf8) }
        tracked = Self.distinct(self.prefixes + Self.fences(of: self.prefixes))
        matcher = PatternSet(tracked.map { Pattern(bytes: Pattern.escape($0) + [UInt8(ascii: "*")]) })
    }

    /// The narrowest `SCAN MATCH` that misses none of the keys.
    var scanPattern: Pattern { matcher.scanPattern }

    /// Those of the keys that the index has.
    func own(_ keys: RedisStrings) -> RedisStrings {
        let span = keys.bytes.span
        var own = RedisStrings(capacity: keys.count, bytes: keys.bytes.count)
        for index in keys.indices where matcher.matches(span.extracting(keys.range(at: index))) {
            own.append(keys, at: index)
        }
        return own
    }

    /// Whether the index has every key that the pattern can match.
    func cover(_ pattern: Pattern) -> Bool {
        let prefix = pattern.literalPrefix
        return prefixes.contains { prefix.starts(with: $0) }
    }

    /// What the fences of keys with these prefixes begin with: in a Cluster a key may be in braces there.
    static func fences(of prefixes: [[UInt8]]) -> [[UInt8]] {
        prefixes.flatMap { [Fence.prefix + $0, Fence.prefix + [UInt8(ascii: "{")] + $0] }
    }

    /// The prefixes in their order, without those that begin with another.
    static func distinct(_ prefixes: [[UInt8]]) -> [[UInt8]] {
        prefixes.sorted { $0.lexicographicallyPrecedes($1) }.reduce(into: []) { distinct, prefix in
            if let last = distinct.last, prefix.starts(with: last) { return }
            distinct.append(prefix)
        }
    }
}
