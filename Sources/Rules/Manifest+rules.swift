extension Manifest {
    /// How many conditions a record has bits for.
    public static let maximumConditions = 63

    /// What a capture of the table has to record for these rules.
    public init(table: TableName, rules: [Rule]) {
        var conditions: [Condition] = []
        for rule in rules where !conditions.contains(rule.condition) { conditions.append(rule.condition) }
        let columns = Set(rules.flatMap(\.imageColumns)).sorted()
        self.init(table: table, columns: columns, conditions: conditions)
    }
}
