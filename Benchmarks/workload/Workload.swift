import Rules

/// Updates of one table, and a planner that has rules for it and for others.
public struct Workload: Sendable {
    /// As many as the worker reads at a time.
    public static let batch = 1_000

    private let planner: Planner
    private let changes: [Change]

    /// One rule for the table that changes, the rest for tables of their own.
    public init(rules count: Int) throws {
        let rules = (0..<count).map { number in
            """
              - name: rule-\(number)
                table: table_\(number)
                columns: [name]
                delete: {keys: ["user:{id}"]}

            """
        }
        let set = try RuleSet.parse("version: 1\nrules:\n" + rules.joined())
        let manifests = set.tables.enumerated().map { (Int32($0.offset), set.manifest(for: $0.element)) }
        planner = Planner(rules: set.rules, manifests: Dictionary(uniqueKeysWithValues: manifests))
        // A record for each change, with the columns that the manifest has: the id, and the name that decides
        // whether the rule fires.
        let columns = set.manifest(for: set.tables[0]).columns
        changes = (0..<Self.batch).map { row in
            func image(_ name: String) -> Image { Image(columns.map { $0 == "id" ? "\(row)" : "\(name) \(row)" }) }
            return Change(capture: 0, kind: .update, fired: 1, old: image("old"), new: image("new"))
        }
    }

    /// Plans one batch; gives the number of keys in the plan.
    public func plan() -> Int { planner.plan(changes).keys.count }
}
