/// A rule, compiled for the images of one capture.
struct RuleProgram: Sendable {
    let rule: Int
    private let delays: [Duration]
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
        lookup = rule.lookup.map { LookupProgram($0, of: rule, index: index, columns: columns) }
        func column(_ column: ImageColumn) -> Int? { columns.firstIndex(of: column.name) }
        fills = DeletionTemplate.deleted(by: rule).filter { !rule.needsLookup($0.columns) }
            .compactMap { Fill($0, isFenced: fenced.contain($0, of: rule), index: column) }
        rewarms = rule.rewarm.enumerated().filter { !rule.needsLookup($0.element.columns) }
            .compactMap { RewarmFill($0.element, rule: index, entry: $0.offset, index: column) }
    }

    func apply(to rows: RowPair, plan: inout Plan) {
        plan.count(rule)
        for fill in fills {
            if fill.usesEither {
                rows.forEach({ fill(rows, either: $0) }) {
                    plan.insert($0, of: fill, rule: rule, delays: delays)
                }
            } else if let bytes = fill(rows, either: nil) {
                plan.insert(bytes, of: fill, rule: rule, delays: delays)
            }
        }
        for rewarm in rewarms { rewarm.apply(to: rows, plan: &plan, delays: delays) }
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
        let uses = DeletionTemplate.deleted(by: self).map(\.columns) + rewarm.map(\.columns)
        let columns = uses.filter(needsLookup).joined().filter { $0.side == side }
        return Set(columns.map(\.name)).sorted()
    }
}

extension Plan {
    /// Adds what a template was filled to.
    mutating func insert(_ bytes: [UInt8], of fill: Fill, rule: Int, delays: [Duration]) {
        if fill.isGlob {
            let pattern = PlannedPattern(pattern: Pattern(bytes: bytes), rule: rule)
            insert(pattern, isFenced: fill.isFenced, repeatAfter: delays)
        } else {
            let key = PlannedKey(key: Key(bytes: bytes), rule: rule)
            insert(key, isFenced: fill.isFenced, repeatAfter: delays)
        }
    }
}
