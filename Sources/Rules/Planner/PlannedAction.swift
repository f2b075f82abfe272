/// Something to do with a key, besides deleting it and loading it anew.
public struct PlannedAction: Hashable, Sendable {
    /// What.
    public var action: KeyAction
    /// The key: of an entry, a tag or a counter.
    public var key: Key
    /// The rule that asks for it: an index of `Planner.rules`. Where several do, the first.
    public var rule: Int
    /// Whether readers are kept from storing what they read of the entries before.
    public var isFenced: Bool

    /// Something that a rule asks for.
    public init(_ action: KeyAction, _ key: Key, rule: Int, isFenced: Bool = false) {
        self.action = action
        self.key = key
        self.rule = rule
        self.isFenced = isFenced
    }
}

/// The same to do with every key that a pattern matches, where any row may have changed.
public struct PlannedPatternAction: Hashable, Sendable {
    /// What.
    public var action: KeyAction
    /// The pattern; it has a wildcard and a literal prefix.
    public var pattern: Pattern
    /// The rule that asks for it: an index of `Planner.rules`. Where several do, the first.
    public var rule: Int
    /// Whether readers are kept from storing what they read of the entries before.
    public var isFenced: Bool

    /// Something that a rule asks for.
    public init(_ action: KeyAction, _ pattern: Pattern, rule: Int, isFenced: Bool = false) {
        self.action = action
        self.pattern = pattern
        self.rule = rule
        self.isFenced = isFenced
    }
}
