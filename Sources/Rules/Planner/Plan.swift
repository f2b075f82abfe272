/// What a batch of changes asks of Redis, each key once.
public struct Plan: Sendable {
    /// What to delete now.
    public private(set) var deletions = Deletions()
    /// What to delete once more after a delay, for rules with `repeat_after`.
    public private(set) var repeats: [Duration: Deletions] = [:]
    /// Lookups to run; each result's keys are planned by `Planner.plan(_:columns:rows:)`.
    public private(set) var lookups: [LookupCall] = []
    /// Captures that the planner doesn't know. Their changes are NOT in this plan: load their manifests, and
    /// plan the batch again.
    public internal(set) var unknownCaptures: Set<Int32> = []
    private var seenLookups: Set<LookupCall> = []

    /// A plan that asks for nothing.
    public init() {}

    /// A plan with room for the keys of so many changes.
    init(changes count: Int) { deletions.reserve(count) }

    /// Keys to delete now, in the order in which the changes asked for them.
    public var keys: [PlannedKey] { deletions.keys }
    /// Patterns to delete by now.
    public var patterns: [PlannedPattern] { deletions.patterns }
    /// Whether there is nothing to do.
    public var isEmpty: Bool { deletions.isEmpty && lookups.isEmpty && unknownCaptures.isEmpty }

    /// Adds a key, now and after each of the delays.
    public mutating func insert(_ key: PlannedKey, repeatAfter delays: [Duration] = []) {
        deletions.insert(key)
        for delay in delays { repeats[delay, default: Deletions()].insert(key) }
    }

    /// Adds a pattern, now and after each of the delays.
    mutating func insert(_ pattern: PlannedPattern, repeatAfter delays: [Duration]) {
        deletions.insert(pattern)
        for delay in delays { repeats[delay, default: Deletions()].insert(pattern) }
    }

    /// Adds a lookup, unless the same one is there.
    public mutating func insert(_ call: LookupCall) {
        if seenLookups.insert(call).inserted { lookups.append(call) }
    }

    /// Adds what another plan by the same planner asks for.
    public mutating func merge(_ other: Plan) {
        deletions.merge(other.deletions)
        repeats.merge(other.repeats) { own, other in
            var both = own
            both.merge(other)
            return both
        }
        for call in other.lookups { insert(call) }
        unknownCaptures.formUnion(other.unknownCaptures)
    }
}
