/// Many patterns, compiled to be matched in one pass over the keys of a Redis.
///
/// The patterns' literal prefixes form a trie. A key walks down it once, and only the patterns whose prefix it
/// meets on the way look at the rest of the key: patterns about other keys cost nothing.
public struct PatternSet: Sendable {
    /// The patterns, in the order they were given.
    public let patterns: [Pattern]
    private var nodes: [Node] = [Node()]

    private struct Node {
        /// What the patterns that end their prefix here ask of the rest of the key.
        var globs: [(index: Int, rest: Glob)] = []
        var children: [(byte: UInt8, node: Int)] = []
    }

    /// Compiles the patterns.
    public init(_ patterns: [Pattern]) {
        self.patterns = patterns
        for (index, pattern) in patterns.enumerated() {
            let prefix = pattern.literalPrefix
            let node = prefix.reduce(0) { childMakingIt(of: $0, for: $1) }
            nodes[node].globs.append((index, Glob(pattern, behind: prefix.count)))
        }
    }

    /// Whether some pattern matches the key.
    public func matches(_ key: Span<UInt8>) -> Bool { firstMatch(key) != nil }

    /// Whether some pattern matches the key.
    public func matches(_ key: Key) -> Bool { matches(key.bytes.span) }

    /// The index of a pattern that matches the key: of those with the shortest literal prefix, the first.
    public func firstMatch(_ key: Span<UInt8>) -> Int? {
        var node = 0
        var position = 0
        while true {
            for (index, rest) in nodes[node].globs
            where position == 0 ? rest.matches(key) : rest.matches(key, from: position) { return index }
            guard position < key.count, let next = child(of: node, for: key[position]) else { return nil }
            node = next
            position += 1
        }
    }

    /// The bytes that every key that some pattern matches begins with.
    public var commonPrefix: [UInt8] {
        var prefix: [UInt8] = []
        var node = nodes[0]
        while node.globs.isEmpty, node.children.count == 1, let child = node.children.first {
            prefix.append(child.byte)
            node = nodes[child.node]
        }
        return prefix
    }

    /// The narrowest `SCAN MATCH` that misses no key of any pattern.
    public var scanPattern: Pattern {
        patterns.count == 1 ? patterns[0] : Pattern(bytes: Pattern.escape(commonPrefix) + [UInt8(ascii: "*")])
    }

    private func child(of node: Int, for byte: UInt8) -> Int? {
        for child in nodes[node].children where child.byte == byte { return child.node }
        return nil
    }

    private mutating func childMakingIt(of node: Int, for byte: UInt8) -> Int {
        if let child = child(of: node, for: byte) { return child }
        nodes.append(Node())
        nodes[node].children.append((byte, nodes.count - 1))
        return nodes.count - 1
    }
}
