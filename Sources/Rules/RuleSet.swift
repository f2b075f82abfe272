/// The rules of a worker, and the tests that came with them.
public struct RuleSet: Sendable {
    /// The rules, in the order of the files.
    public let rules: [Rule]
    let files: [RulesFile]

    /// The tables that rules are about, each once, in the order of the rules.
    public var tables: [TableName] {
        var seen: Set<TableName> = []
        return rules.map(\.table.value).filter { seen.insert($0).inserted }
    }

    /// The rules about a table.
    public func rules(for table: TableName) -> [Rule] { rules.filter { $0.table.value == table } }

    /// What a capture of the table has to record for its rules.
    public func manifest(for table: TableName) -> Manifest {
        Manifest(table: table, rules: rules(for: table))
    }

    /// Joins files, and finds the mistakes that one file alone doesn't show.
    init(_ files: [RulesFile], diagnostics: [RulesDiagnostic]) throws(RulesError) {
        self.files = files
        rules = files.flatMap(\.rules)
        let all = diagnostics + repeatedNames + tooManyConditions
        if !all.isEmpty { throw RulesError(diagnostics: all) }
    }

    private var repeatedNames: [RulesDiagnostic] {
        var first: [String: FilePosition] = [:]
        return rules.compactMap { rule in
            let name = rule.name
            guard let earlier = first[name.value] else {
                first[name.value] = name.location
                return nil
            }
            return RulesDiagnostic(name.location, "a rule '\(name.value)' is already at \(earlier)")
        }
    }

    /// A change tells which conditions it fulfils in the 63 bits of a positive bigint.
    private var tooManyConditions: [RulesDiagnostic] {
        var conditions: [TableName: Set<Condition>] = [:]
        return rules.compactMap { rule in
            let table = rule.table.value
            conditions[table, default: []].insert(rule.condition)
            guard conditions[table]?.count == Manifest.maximumConditions + 1 else { return nil }
            let message = "more than \(Manifest.maximumConditions) different conditions on one table"
            return RulesDiagnostic(rule.location, "\(message) (on, columns, where): '\(table)'")
        }
    }
}
