/// Byte strings by what they have in common at their beginnings.
struct PrefixTrie {
    struct Node {
        /// The strings that end here, by their numbers.
        var ends: [Int] = []
        var children: [(byte: UInt8, node: Int)] = []
    }

    private(set) var nodes = [Node()]

    init(_ strings: [[UInt8]]) {
        for (index, string) in strings.enumerated() {
            let node = string.reduce(0) { childMakingIt(of: $0, for: $1) }
            nodes[node].ends.append(index)
        }
    }

    /// What all strings begin with.
    var commonPrefix: [UInt8] { stem.prefix }

    /// The node at the end of the common prefix.
    var fork: Int { stem.node }

    private var stem: (prefix: [UInt8], node: Int) {
        var prefix: [UInt8] = []
        var node = 0
        while nodes[node].ends.isEmpty, nodes[node].children.count == 1, let child = nodes[node].children.first {
            prefix.append(child.byte)
            node = child.node
        }
        return (prefix, node)
    }

    private mutating func childMakingIt(of node: Int, for byte: UInt8) -> Int {
        for child in nodes[node].children where child.byte == byte { return child.node }
        nodes.append(Node())
        nodes[node].children.append((byte, nodes.count - 1))
        return nodes.count - 1
    }
}
