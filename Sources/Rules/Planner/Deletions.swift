/// Keys and patterns to delete, each once, in the order in which they were asked for.
public struct Deletions: Sendable {
    /// The keys.
    public private(set) var keys: [PlannedKey] = []
    /// The patterns.
    public private(set) var patterns: [PlannedPattern] = []
    private var seenKeys: Set<Key> = []
    private var seenPatterns: Set<Pattern> = []

    /// Nothing to delete.
    public init() {}

    /// Whether there is nothing to delete.
    public var isEmpty: Bool { keys.isEmpty && patterns.isEmpty }

    /// Makes room for keys, so that a large batch doesn't hash them again with every doubling.
    mutating func reserve(_ count: Int) {
        keys.reserveCapacity(count)
        seenKeys.reserveCapacity(count)
    }

    /// Adds a key, unless it is there.
    public mutating func insert(_ key: PlannedKey) {
        if seenKeys.insert(key.key).inserted { keys.append(key) }
    }

    /// Adds a pattern, unless it is there.
    public mutating func insert(_ pattern: PlannedPattern) {
        if seenPatterns.insert(pattern.pattern).inserted { patterns.append(pattern) }
    }

    /// Adds what another asks for and isn't there.
    public mutating func merge(_ other: Deletions) {
        for key in other.keys { insert(key) }
        for pattern in other.patterns { insert(pattern) }
    }
}
