/// A rule, compiled for the images of one capture. A class, so that a change costs one reference and not one for each
/// of its lists.
final class RuleProgram: Sendable {
    let rule: Int
    private let delays: [Duration]
    private let telling: Telling
    /// The templates that the changed row alone can fill.
    private let fills: [Fill]
    /// The same of entries to load.
    private let rewarms: [RewarmFill]
    private let lookup: LookupProgram?

    /// Compiles a rule; nil if images with these columns don't have all that it needs.
    init?(_ rule: Rule, index: Int, columns: [String], fenced: FencedKeys) {
        guard rule.imageColumns.allSatisfy(columns.contains) else { return nil }
        self.rule = index
        delays = rule.repeatAfter
        telling = Telling(rule)
        lookup = rule.lookup.map { LookupProgram($0, of: rule, index: index, columns: columns) }
        func column(_ column: ImageColumn) -> Int? { columns.firstIndex(of: column.name) }
        fills = KeyTemplate.filled(by: rule).filter { !rule.needsLookup($0.columns) }
            .compactMap { Fill($0, isFenced: fenced.contain($0, of: rule), index: column) }
        rewarms = rule.rewarm.enumerated().filter { !rule.needsLookup($0.element.columns) }
            .compactMap { RewarmFill($0.element, rule: index, entry: $0.offset, index: column) }
    }

    func apply(to rows: RowPair, plan: inout Plan) {
        plan.count(rule)
        for fill in fills {
            if fill.usesEither {
                rows.forEach(alike: fill.isFilledAlike(by: rows), { fill(rows, either: $0) }) {
                    plan.insert($0, of: fill, rule: rule, delays: delays, telling: telling)
                }
            } else if let bytes = fill(rows, either: nil) {
                plan.insert(bytes, of: fill, rule: rule, delays: delays, telling: telling)
            }
        }
        for rewarm in rewarms { rewarm.apply(to: rows, plan: &plan, delays: delays, telling: telling) }
        if telling == .firing { plan.tell(rule, repeatAfter: delays) { _ in } }
        lookup?.apply(to: rows, plan: &plan)
    }
}

extension Rule {
    /// Whether what uses these columns can only be filled from the lookup's result.
    func needsLookup(_ columns: [ImageColumn]) -> Bool {
        lookup != nil && columns.contains { $0.side == .either }
    }

    /// The columns of one image of the changed row that are mixed with the lookup's result in a template.
    func context(_ side: ImageColumn.Side) -> [String] {
        let uses = KeyTemplate.filled(by: self).map(\.columns) + rewarm.map(\.columns)
        let columns = uses.filter(needsLookup).joined().filter { $0.side == side }
        return Set(columns.map(\.name)).sorted()
    }
}

extension Plan {
    /// Adds what a template was filled to.
    mutating func insert(_ bytes: [UInt8], of fill: Fill, rule: Int, delays: [Duration], telling: Telling) {
        if fill.isGlob {
            insert(
                Pattern(bytes: bytes), for: fill.purpose, rule: rule, isFenced: fill.isFenced, delays: delays,
                telling: telling)
        } else {
            insert(
                Key(bytes: bytes), for: fill.purpose, rule: rule, isFenced: fill.isFenced, delays: delays,
                telling: telling)
        }
    }
}
