/// What a batch of changes asks of Redis, each key once.
public struct Plan: Sendable {
    /// What to do now.
    public private(set) var work = Work()
    /// What to do once more after a delay, for rules with `repeat_after`.
    public private(set) var repeats: [Duration: Work] = [:]
    /// Lookups to run; each result's keys are planned by `Planner.plan(_:columns:rows:)`.
    public private(set) var lookups: [LookupCall] = []
    /// Captures that the planner doesn't know. Their changes are NOT in this plan: load their manifests, and
    /// plan the batch again.
    public internal(set) var unknownCaptures: Set<Int32> = []
    /// How many changes each rule was asked about, by its number; rules behind the end: none.
    public private(set) var changes: [Int] = []
    private var seenLookups: Set<LookupCall> = []
    /// What ``Planner/isLate`` says of the changes that are added.
    let isLate: Bool

    /// A plan that asks for nothing, for changes of which ``Planner/isLate`` says this.
    public init(isLate: Bool = false) { self.isLate = isLate }

    /// A plan with room for the keys of so many changes.
    init(changes count: Int, isLate: Bool) {
        self.init(isLate: isLate)
        work.reserve(count)
    }

    /// Keys to delete now, in the order in which the changes asked for them.
    public var keys: [PlannedKey] { work.keys }
    /// Patterns to delete by now.
    public var patterns: [PlannedPattern] { work.patterns }
    /// Entries to load anew.
    public var rewarms: [RewarmCall] { work.rewarms }
    /// What else to do with keys.
    public var actions: [PlannedAction] { work.actions }
    /// What else to do with what patterns match.
    public var patternActions: [PlannedPatternAction] { work.patternActions }
    /// What listeners are told.
    public var news: [News] { work.news }
    /// Whether there is nothing to do.
    public var isEmpty: Bool { work.isEmpty && lookups.isEmpty && unknownCaptures.isEmpty }

    /// Adds a key, now and after each of the delays.
    public mutating func insert(
        _ key: PlannedKey, isFenced: Bool = false, repeatAfter delays: [Duration] = []
    ) {
        work.insert(key, isFenced: isFenced)
        for delay in delays { repeats[delay, default: Work()].insert(key, isFenced: isFenced) }
    }

    /// Adds a pattern, now and after each of the delays.
    mutating func insert(_ pattern: PlannedPattern, isFenced: Bool = false, repeatAfter delays: [Duration]) {
        work.insert(pattern, isFenced: isFenced)
        for delay in delays { repeats[delay, default: Work()].insert(pattern, isFenced: isFenced) }
    }

    /// Adds an entry to load, now and after each of the delays. By then another change may have had the loader read
    /// something else, so where its key doesn't say what that is, the entry is deleted.
    public mutating func insert(_ call: RewarmCall, repeatAfter delays: [Duration] = []) {
        work.insert(call)
        for delay in delays {
            if call.isKeyed {
                repeats[delay, default: Work()].insert(call)
            } else {
                repeats[delay, default: Work()].insert(PlannedKey(key: call.key, rule: call.rule), isFenced: true)
            }
        }
    }

    /// Has an entry deleted that changes disagree on.
    mutating func dispute(_ key: PlannedKey) { work.dispute(key) }

    /// Adds something else to do with a key, now and after each of the delays.
    public mutating func insert(_ action: PlannedAction, repeatAfter delays: [Duration] = []) {
        work.insert(action)
        guard action.action.isRepeated else { return }
        for delay in delays { repeats[delay, default: Work()].insert(action) }
    }

    /// The same with a pattern.
    mutating func insert(_ action: PlannedPatternAction, repeatAfter delays: [Duration]) {
        work.insert(action)
        guard action.action.isRepeated else { return }
        for delay in delays { repeats[delay, default: Work()].insert(action) }
    }

    /// Has listeners told of a rule, now and once more after each of the delays: by then they may have read what a
    /// reader stored that had been too slow.
    mutating func tell(_ rule: Int, repeatAfter delays: [Duration] = [], _ change: (inout News) -> Void) {
        work.tell(rule, change)
        for delay in delays { repeats[delay, default: Work()].tell(rule, change) }
    }

    /// Adds a lookup, unless the same one is there.
    public mutating func insert(_ call: LookupCall) {
        if seenLookups.insert(call).inserted { lookups.append(call) }
    }

    /// Changes have made a rule fire.
    mutating func count(_ rule: Int, changes count: Int = 1) {
        while changes.count <= rule { changes.append(0) }
        changes[rule] += count
    }

    /// Adds what another plan by the same planner asks for.
    public mutating func merge(_ other: Plan) {
        work.merge(other.work)
        repeats.merge(other.repeats) { own, other in
            var both = own
            both.merge(other)
            return both
        }
        for call in other.lookups { insert(call) }
        for (rule, count) in other.changes.enumerated() { self.count(rule, changes: count) }
        unknownCaptures.formUnion(other.unknownCaptures)
    }
}
