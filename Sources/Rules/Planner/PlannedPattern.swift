/// A pattern whose keys are to be deleted.
public struct PlannedPattern: Hashable, Sendable {
    /// The pattern; it has a wildcard and a literal prefix.
    public var pattern: Pattern
    /// The rule that asks for it: an index of `Planner.rules`. Where several do, the first.
    public var rule: Int

    /// A pattern that a rule asks for.
    public init(pattern: Pattern, rule: Int) {
        self.pattern = pattern
        self.rule = rule
    }
}
