/// What listeners are told of a rule, each thing once, in the order in which the changes asked for it.
public struct News: Sendable {
    /// Something that is stale.
    public enum Item: Hashable, Sendable {
        /// An entry.
        case key(Key)
        /// All entries that it matches.
        case pattern(Pattern)
        /// All entries that are filed under it.
        case tag(Key)
        /// All entries of the generations before.
        case counter(Key)
        /// A message of the rule's own, instead of all that.
        case message([UInt8])
    }

    /// The rule: an index of `Planner.rules`.
    public let rule: Int
    /// What is told.
    public private(set) var items: [Item] = []
    /// Whether any row may have changed: the rule's other entries are stale too.
    public private(set) var isAnyRow = false
    private var seen: Set<Item> = []

    init(rule: Int) { self.rule = rule }

    mutating func insert(_ item: Item) {
        if seen.insert(item).inserted { items.append(item) }
    }

    mutating func insertAnyRow() { isAnyRow = true }

    mutating func merge(_ other: News) {
        for item in other.items { insert(item) }
        if other.isAnyRow { isAnyRow = true }
    }
}
