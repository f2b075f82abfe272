/// The templates of a rule that its lookup's result fills, compiled for the result's columns.
public struct LookupFills: Sendable {
    private let rule: Int
    private let delays: [Duration]
    private let telling: Telling
    private let fills: [Fill]
    private let rewarms: [RewarmFill]

    init(
        _ rule: Rule, index: Int, columns: [String], fenced: FencedKeys
    ) throws(MissingLookupColumn) {
        self.rule = index
        delays = rule.repeatAfter
        telling = Telling(rule)
        for use in rule.lookupColumns where !columns.contains(use.value.name) {
            throw MissingLookupColumn(rule: rule.name.value, column: use.value.name)
        }
        let (old, new) = (rule.context(.old), rule.context(.new))
        func column(_ column: ImageColumn) -> Int? {
            switch column.side {
            case .either: columns.firstIndex(of: column.name)
            case .old: old.firstIndex(of: column.name)
            case .new: new.firstIndex(of: column.name)
            }
        }
        fills = KeyTemplate.filled(by: rule).filter { rule.needsLookup($0.columns) }
            .compactMap { Fill($0, isFenced: fenced.contain($0, of: rule), index: column) }
        rewarms = rule.rewarm.enumerated().filter { rule.needsLookup($0.element.columns) }
            .compactMap { RewarmFill($0.element, rule: index, entry: $0.offset, index: column) }
    }

    /// Adds what one row of the call's result asks for.
    public func add(_ row: [[UInt8]?], of call: LookupCall, to plan: inout Plan) {
        let rows = RowPair(old: call.old.map(Image.init), new: call.new.map(Image.init))
        let result = Image(row)
        for fill in fills {
            guard let bytes = fill(rows, either: result) else { continue }
            plan.insert(bytes, of: fill, rule: rule, delays: delays, telling: telling)
        }
        for rewarm in rewarms {
            guard let outcome = rewarm.outcome(rows, either: result) else { continue }
            plan.insert(outcome, rule: rule, delays: delays, telling: telling)
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
