/// A rule, compiled for the images of one capture.
struct RuleProgram: Sendable {
    private let rule: Int
    private let delays: [Duration]
    /// The templates that the changed row alone can fill.
    private let fills: [Fill]
    private let lookup: LookupProgram?

    /// Compiles a rule; nil if images with these columns don't have all that it needs.
    init?(_ rule: Rule, index: Int, columns: [String]) {
        guard rule.imageColumns.allSatisfy(columns.contains) else { return nil }
        self.rule = index
        delays = rule.repeatAfter
        lookup = rule.lookup.map { LookupProgram($0, of: rule, index: index, columns: columns) }
        let templates = DeletionTemplate.all(of: rule).filter { !rule.needsLookup($0.template) }
        fills = templates.compactMap { Fill($0) { columns.firstIndex(of: $0.name) } }
    }

    func apply(to rows: RowPair, plan: inout Plan) {
        for fill in fills {
            if fill.usesEither {
                rows.forEach({ fill(rows, either: $0) }) {
                    plan.insert($0, of: fill, rule: rule, delays: delays)
                }
            } else if let bytes = fill(rows, either: nil) {
                plan.insert(bytes, of: fill, rule: rule, delays: delays)
            }
        }
        lookup?.apply(to: rows, plan: &plan)
    }
}

extension Rule {
    /// Whether the template can only be filled from the lookup's result.
    func needsLookup(_ template: Template) -> Bool {
        lookup != nil && template.placeholders.contains { $0.column.side == .either }
    }

    /// The columns of one image of the changed row that are mixed with the lookup's result in a template.
    func context(_ side: ImageColumn.Side) -> [String] {
        let columns = DeletionTemplate.all(of: self).map(\.template).filter(needsLookup)
            .flatMap(\.placeholders).map(\.column).filter { $0.side == side }
        return Set(columns.map(\.name)).sorted()
    }
}

extension Plan {
    /// Adds what a template was filled to.
    mutating func insert(_ bytes: [UInt8], of fill: Fill, rule: Int, delays: [Duration]) {
        if fill.isGlob {
            insert(PlannedPattern(pattern: Pattern(bytes: bytes), rule: rule), repeatAfter: delays)
        } else {
            insert(PlannedKey(key: Key(bytes: bytes), rule: rule), repeatAfter: delays)
        }
    }
}
