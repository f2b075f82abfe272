/// A key to delete.
public struct PlannedKey: Hashable, Sendable {
    /// The key.
    public var key: Key
    /// The rule that asks for it: an index of `Planner.rules`. Where several do, the first.
    public var rule: Int

    /// A key that a rule asks for.
    public init(key: Key, rule: Int) {
        self.key = key
        self.rule = rule
    }
}
