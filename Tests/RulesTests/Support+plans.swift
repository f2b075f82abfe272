@testable import Rules

/// A capture of one table with its rules, and changes of that table.
struct Capture {
    let rules: RuleSet
    let manifest: Manifest
    let planner: Planner

    /// The capture of the first rule's table. Rows of tests have their columns in the order of the manifest.
    init(_ yaml: String) throws {
        let rules = try RuleSet.parse("version: 1\nrules:\n" + yaml)
        self.rules = rules
        manifest = rules.manifest(for: rules.tables[0])
        planner = Planner(rules: rules.rules, manifests: [1: manifest])
    }

    /// A change of a row with these columns, which fires these rules' conditions; all, if none is named.
    func change(
        _ kind: Change.Kind, old: [String: String?]? = nil, new: [String: String?]? = nil,
        fires: [String]? = nil
    ) -> Change {
        let fired = rules.rules.filter { fires?.contains($0.name.value) ?? true }.reduce(0 as UInt64) {
            bits, rule in
            manifest.conditions.firstIndex(of: rule.condition).map { bits | 1 << UInt64($0) } ?? bits
        }
        return Change(capture: 1, kind: kind, fired: fired, old: old.map(image), new: new.map(image))
    }

    func plan(_ changes: Change...) -> Plan { planner.plan(changes) }

    private func image(_ row: [String: String?]) -> Image {
        Image(manifest.columns.map { row[$0].flatMap { $0 } })
    }
}

extension Plan {
    /// The keys as text.
    var keyTexts: [String] { keys.map(\.key.description) }
    /// The patterns as text.
    var patternTexts: [String] { patterns.map(\.pattern.description) }
}
