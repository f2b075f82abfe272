/// What the changes of one capture ask for. A class, so that a change costs one reference and not six.
final class CaptureProgram: Sendable {
    /// The rules behind each bit of a change.
    private let byBit: [[RuleProgram]]
    /// Rules that the capture doesn't know but has the columns of, and the kinds of change that they fear.
    private let unknown: [(kinds: [Change.Kind], program: RuleProgram)]
    /// Rules that the capture has too few columns for.
    private let blind: [AnyRow]
    /// All rules of the table.
    private let anyRow: [AnyRow]

    /// Compiles the rules of the capture's table among `rules`.
    init(_ manifest: Manifest, rules: [Rule], fenced: FencedKeys) {
        var byBit = [[RuleProgram]](repeating: [], count: manifest.conditions.count)
        var unknown: [(kinds: [Change.Kind], program: RuleProgram)] = []
        var blind: [AnyRow] = []
        var anyRow: [AnyRow] = []
        for (index, rule) in rules.enumerated() where rule.table.value == manifest.table {
            anyRow.append(AnyRow(rule, index: index, fenced: fenced))
            let program = RuleProgram(rule, index: index, columns: manifest.columns, fenced: fenced)
            switch (program, manifest.conditions.firstIndex(of: rule.condition)) {
            case (let program?, let bit?): byBit[bit].append(program)
            case (let program?, nil): unknown.append((rule.fearedKinds, program))
            case (nil, _): blind.append(AnyRow(rule, index: index, fenced: fenced))
            }
        }
        self.byBit = byBit
        self.unknown = unknown
        self.blind = blind
        self.anyRow = anyRow
    }

    /// - Parameter only: The only rule that counts; nil: all.
    func apply(to change: consuming Change, only: Int?, plan: inout Plan) {
        guard change.kind != .anyRow else {
            for rule in anyRow where only == nil || rule.rule == only { rule.apply(to: &plan) }
            return
        }
        let kind = change.kind
        var fired = change.fired
        let rows = RowPair(change)
        while fired != 0 {
            let bit = fired.trailingZeroBitCount
            fired &= fired - 1
            // A bit that the manifest doesn't explain is none of these rules': they have all found their own.
            guard bit < byBit.count else { break }
            for program in byBit[bit] where only == nil || program.rule == only { program.apply(to: rows, plan: &plan) }
        }
        for (kinds, program) in unknown
        where kinds.contains(kind) && (only == nil || program.rule == only) {
            program.apply(to: rows, plan: &plan)
        }
        for rule in blind where only == nil || rule.rule == only { rule.apply(to: &plan) }
    }
}

extension Rule {
    /// The kinds of recorded change that may concern the rule, for all that one knows without its condition. An
    /// update that changes the primary key is recorded as a delete and an insert.
    fileprivate var fearedKinds: [Change.Kind] {
        if operations.contains(.update) { return [.insert, .update, .delete] }
        return operations.map { $0 == .insert ? .insert : .delete }
    }

    /// Whether a capture tells exactly which changes concern the rule.
    func isCaptured(by manifest: Manifest) -> Bool {
        manifest.conditions.contains(condition) && imageColumns.allSatisfy(manifest.columns.contains)
    }
}
