/// Many patterns, compiled to be matched in one pass over the keys of a Redis.
///
/// The patterns' literal prefixes form a trie. A key walks down it once, and only the patterns whose prefix it
/// meets on the way look at the rest of the key: patterns about other keys cost nothing.
public struct PatternSet: Sendable {
    /// The patterns, in the order they were given.
    public let patterns: [Pattern]
    /// The bytes that every key that some pattern matches begins with.
    public let commonPrefix: [UInt8]
    /// The trie below the common prefix; the first node is its root.
    private let nodes: [Node]
    private let edges: [Edge]
    /// What the patterns ask of the rest of a key behind their prefix.
    private let globs: [(index: Int, rest: Glob)]

    /// A node of the trie. Its edges and globs lie side by side, so that walking down counts no references.
    private struct Node {
        var edges: Range<Int32>
        var globs: Range<Int32>
    }

    private struct Edge {
        var byte: UInt8
        var node: Int32
    }

    /// Compiles the patterns.
    public init(_ patterns: [Pattern]) {
        self.patterns = patterns
        let trie = PrefixTrie(patterns.map(\.literalPrefix))
        commonPrefix = trie.commonPrefix
        var nodes: [Node] = []
        var edges: [Edge] = []
        var globs: [(index: Int, rest: Glob)] = []
        // In the order of their depth, so each node's number is known before the node is made.
        var order = [(node: trie.fork, depth: trie.commonPrefix.count)]
        var next = 0
        while next < order.count {
            let (node, depth) = order[next]
            next += 1
            let (firstEdge, firstGlob) = (edges.count, globs.count)
            for (byte, child) in trie.nodes[node].children {
                edges.append(Edge(byte: byte, node: Int32(order.count)))
                order.append((child, depth + 1))
            }
            globs += trie.nodes[node].ends.map { ($0, Glob(patterns[$0], behind: depth)) }
            nodes.append(
                Node(
                    edges: Int32(firstEdge)..<Int32(edges.count), globs: Int32(firstGlob)..<Int32(globs.count)))
        }
        self.nodes = nodes
        self.edges = edges
        self.globs = globs
    }

    /// Whether some pattern matches the key.
    public func matches(_ key: Span<UInt8>) -> Bool { firstMatch(key) != nil }

    /// Whether some pattern matches the key.
    public func matches(_ key: Key) -> Bool { matches(key.bytes.span) }

    /// The index of a pattern that matches the key: of those with the shortest literal prefix, the first.
    public func firstMatch(_ key: Span<UInt8>) -> Int? {
        guard beginsWithCommonPrefix(key) else { return nil }
        var node = nodes[0]
        var position = commonPrefix.count
        while true {
            for index in node.globs
            where position == 0
                ? globs[Int(index)].rest.matches(key) : globs[Int(index)].rest.matches(key, from: position)
            {
                return globs[Int(index)].index
            }
            guard position < key.count, let next = child(of: node, for: key[position]) else { return nil }
            node = nodes[Int(next)]
            position += 1
        }
    }

    /// The narrowest `SCAN MATCH` that misses no key of any pattern.
    public var scanPattern: Pattern {
        patterns.count == 1 ? patterns[0] : Pattern(bytes: Pattern.escape(commonPrefix) + [UInt8(ascii: "*")])
    }

    private func beginsWithCommonPrefix(_ key: Span<UInt8>) -> Bool {
        guard key.count >= commonPrefix.count else { return false }
        for position in commonPrefix.indices where key[position] != commonPrefix[position] { return false }
        return true
    }

    @inline(__always)
    private func child(of node: Node, for byte: UInt8) -> Int32? {
        for index in node.edges where edges[Int(index)].byte == byte { return edges[Int(index)].node }
        return nil
    }
}
