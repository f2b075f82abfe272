/// Entries that are stale, each once, in the order in which the changes asked for them.
public struct Work: Sendable {
    /// Keys to delete.
    public private(set) var keys: [PlannedKey] = []
    /// Patterns whose keys are to be deleted.
    public private(set) var patterns: [PlannedPattern] = []
    /// Entries to load anew.
    public private(set) var rewarms: [RewarmCall] = []
    /// What else to do with keys.
    public private(set) var actions: [PlannedAction] = []
    /// What else to do with what patterns match.
    public private(set) var patternActions: [PlannedPatternAction] = []
    /// Those of the keys that get a fence.
    public private(set) var fencedKeys: Set<Key> = []
    /// Those of the keys of which changes disagree on what their loader is to be given. Whatever it was given is not to
    /// be stored.
    public private(set) var disputedKeys: Set<Key> = []
    /// Those of the patterns whose keys get a fence.
    public private(set) var fencedPatterns: Set<Pattern> = []
    private var seenKeys: Set<Key> = []
    private var seenPatterns: Set<Pattern> = []
    private var rewarmIndexes: [Key: Int] = [:]
    private var actionIndexes: [KeyTarget<Key>: Int] = [:]
    private var patternActionIndexes: [KeyTarget<Pattern>: Int] = [:]
    private var newsByRule: [Int: News] = [:]

    private struct KeyTarget<Name: Hashable & Sendable>: Hashable {
        let action: KeyAction
        let name: Name
    }

    /// Nothing to do.
    public init() {}

    /// Whether there is nothing to do.
    public var isEmpty: Bool { count == 0 && newsByRule.isEmpty }

    /// How many keys, patterns and entries there are to do something with.
    public var count: Int { keys.count + patterns.count + rewarms.count + actions.count + patternActions.count }

    /// How many things listeners are told.
    public var newsCount: Int { newsByRule.values.reduce(0) { $0 + max(1, $1.items.count) } }

    /// What listeners are told once all is done, in the order of the rules.
    public var news: [News] { newsByRule.isEmpty ? [] : newsByRule.sorted { $0.key < $1.key }.map(\.value) }

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

    /// Adds an entry to load. Several loads for one key are one, unless they contradict each other: then the key is
    /// deleted.
    public mutating func insert(_ call: RewarmCall) {
        guard call.isKeyed || !disputedKeys.contains(call.key) else { return }
        guard let index = rewarmIndexes.updateValue(rewarms.count, forKey: call.key) else {
            return rewarms.append(call)
        }
        rewarmIndexes[call.key] = index
        if rewarms[index].contradicts(call) {
            dispute(PlannedKey(key: call.key, rule: call.rule))
        } else {
            rewarms[index] = rewarms[index].joined(by: call)
        }
    }

    /// Adds a key that changes disagree on, instead of a load of it: nobody knows which of them is the latest. A loader
    /// that goes by the key loads it all the same.
    public mutating func dispute(_ key: PlannedKey) {
        insert(key, isFenced: true)
        dispute(key.key)
    }

    private mutating func dispute(_ key: Key) {
        disputedKeys.insert(key)
        guard let index = rewarmIndexes[key], !rewarms[index].isKeyed else { return }
        rewarmIndexes[key] = nil
        // The last one takes its place, so that of many none is moved twice.
        let last = rewarms.removeLast()
        guard index < rewarms.count else { return }
        rewarms[index] = last
        rewarmIndexes[last.key] = index
    }

    /// Adds something to do with a key, unless it is there. Where one of those that ask for it wants a fence, it gets one.
    public mutating func insert(_ action: PlannedAction) {
        let target = KeyTarget(action: action.action, name: action.key)
        if let index = actionIndexes[target] {
            if action.isFenced { actions[index].isFenced = true }
        } else {
            actionIndexes[target] = actions.count
            actions.append(action)
        }
    }

    /// The same with a pattern.
    public mutating func insert(_ action: PlannedPatternAction) {
        let target = KeyTarget(action: action.action, name: action.pattern)
        if let index = patternActionIndexes[target] {
            if action.isFenced { patternActions[index].isFenced = true }
        } else {
            patternActionIndexes[target] = patternActions.count
            patternActions.append(action)
        }
    }

    /// Has listeners told of a rule.
    mutating func tell(_ rule: Int, _ change: (inout News) -> Void) {
        change(&newsByRule[rule, default: News(rule: rule)])
    }

    /// Adds what another asks for and isn't there.
    public mutating func merge(_ other: Work) {
        for key in other.keys { insert(key, isFenced: other.fencedKeys.contains(key.key)) }
        for pattern in other.patterns {
            insert(pattern, isFenced: other.fencedPatterns.contains(pattern.pattern))
        }
        for call in other.rewarms { insert(call) }
        for key in other.disputedKeys { dispute(key) }
        for action in other.actions { insert(action) }
        for action in other.patternActions { insert(action) }
        for (rule, news) in other.newsByRule { tell(rule) { $0.merge(news) } }
    }
}
