/// Entries that are stale, each once, in the order in which the changes asked for them.
public struct Work: Sendable {
    /// Keys to delete.
    public private(set) var keys: [PlannedKey] = []
    /// Patterns whose keys are to be deleted.
    public private(set) var patterns: [PlannedPattern] = []
    /// Entries to load anew.
    public private(set) var rewarms: [RewarmCall] = []
    /// Those of the keys that get a fence.
    public private(set) var fencedKeys: Set<Key> = []
    /// Those of the patterns whose keys get a fence.
    public private(set) var fencedPatterns: Set<Pattern> = []
    private var seenKeys: Set<Key> = []
    private var seenPatterns: Set<Pattern> = []
    private var rewarmIndexes: [Key: Int] = [:]

    /// Nothing to do.
    public init() {}

    /// Whether there is nothing to do.
    public var isEmpty: Bool { keys.isEmpty && patterns.isEmpty && rewarms.isEmpty }

    /// Makes room for keys, so that a large batch doesn't hash them again with every doubling.
    mutating func reserve(_ count: Int) {
        keys.reserveCapacity(count)
        seenKeys.reserveCapacity(count)
    }

    /// Adds a key, unless it is there. Where one of those that ask for it wants a fence, it gets one.
    public mutating func insert(_ key: PlannedKey, isFenced: Bool = false) {
        if seenKeys.insert(key.key).inserted { keys.append(key) }
        if isFenced { fencedKeys.insert(key.key) }
    }

    /// Adds a pattern, unless it is there; as with keys.
    public mutating func insert(_ pattern: PlannedPattern, isFenced: Bool = false) {
        if seenPatterns.insert(pattern.pattern).inserted { patterns.append(pattern) }
        if isFenced { fencedPatterns.insert(pattern.pattern) }
    }

    /// Adds an entry to load. Of several loads for one key the last counts: its change is the latest.
    public mutating func insert(_ call: RewarmCall) {
        if let index = rewarmIndexes.updateValue(rewarms.count, forKey: call.key) {
            rewarmIndexes[call.key] = index
            rewarms[index] = call
        } else {
            rewarms.append(call)
        }
    }

    /// Adds what another asks for and isn't there.
    public mutating func merge(_ other: Work) {
        for key in other.keys { insert(key, isFenced: other.fencedKeys.contains(key.key)) }
        for pattern in other.patterns {
            insert(pattern, isFenced: other.fencedPatterns.contains(pattern.pattern))
        }
        for call in other.rewarms { insert(call) }
    }
}
