/// The templates of a rule that its lookup's result fills, compiled for the result's columns.
public struct LookupFills: Sendable {
    private let rule: Int
    private let delays: [Duration]
    private let fills: [Fill]

    init(_ rule: Rule, index: Int, columns: [String]) throws(MissingLookupColumn) {
        self.rule = index
        delays = rule.repeatAfter
        for use in rule.lookupColumns where !columns.contains(use.value.name) {
            throw MissingLookupColumn(rule: rule.name.value, column: use.value.name)
        }
        let (old, new) = (rule.context(.old), rule.context(.new))
        let templates = DeletionTemplate.all(of: rule).filter { rule.needsLookup($0.template) }
        fills = templates.compactMap { template in
            Fill(template) { column in
                switch column.side {
                case .either: columns.firstIndex(of: column.name)
                case .old: old.firstIndex(of: column.name)
                case .new: new.firstIndex(of: column.name)
                }
            }
        }
    }

    /// Adds the keys of one row of the call's result.
    public func add(_ row: [[UInt8]?], of call: LookupCall, to plan: inout Plan) {
        let rows = RowPair(old: call.old.map(Image.init), new: call.new.map(Image.init))
        let result = Image(row)
        for fill in fills {
            guard let bytes = fill(rows, either: result) else { continue }
            plan.insert(bytes, of: fill, rule: rule, delays: delays)
        }
    }
}

/// A lookup's result lacks a column that a template of its rule has.
public struct MissingLookupColumn: Error, CustomStringConvertible {
    /// The rule's name.
    public let rule: String
    /// The column.
    public let column: String

    /// One line for people.
    public var description: String {
        "the lookup of the rule '\(rule)' returns no column '\(column)', which its templates use"
    }
}
