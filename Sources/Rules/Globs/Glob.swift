/// A compiled glob, with the meaning that Redis' `KEYS` and `SCAN MATCH` give it.
///
/// Redis tries every way of sharing a key out among the stars; here only the last star is ever tried again,
/// which finds the same matches in at most (length of key × length of glob) steps.
public struct Glob: Sendable {
    private let tokens: [GlobToken]
    private let matchesEmptyKey: Bool

    /// The matcher of a pattern.
    public init(_ pattern: Pattern) { self.init(pattern, behind: 0) }

    /// The matcher of what a pattern has behind so many literal bytes.
    init(_ pattern: Pattern, behind count: Int) {
        tokens = Array(pattern.tokens.dropFirst(count))
        // Redis never looks at a pattern for the empty key; its commands know a lone star by heart.
        matchesEmptyKey = pattern.bytes.isEmpty || pattern.bytes == [UInt8(ascii: "*")]
    }

    /// Whether the key matches.
    public func matches(_ key: Key) -> Bool { matches(key.bytes.span) }

    /// Whether the key with these bytes matches.
    public func matches(_ key: Span<UInt8>) -> Bool {
        key.isEmpty ? matchesEmptyKey : matches(key, from: 0)
    }

    /// Whether the part of the key that begins at `start` matches.
    func matches(_ key: Span<UInt8>, from start: Int) -> Bool {
        var position = start
        var index = 0
        // Where to go on when a byte doesn't fit: behind the last star, which then takes one byte more.
        var star: (index: Int, position: Int)?
        while position < key.count {
            if index < tokens.count, tokens[index] == .star {
                index += 1
                if index == tokens.count { return true }
                star = (index, position)
            } else if index < tokens.count, tokens[index].matches(key[position]) {
                index += 1
                position += 1
            } else if let last = star {
                index = last.index
                position = last.position + 1
                star = (index, position)
            } else {
                return false
            }
        }
        return index == tokens.count || index == tokens.count - 1 && tokens[index] == .star
    }
}
