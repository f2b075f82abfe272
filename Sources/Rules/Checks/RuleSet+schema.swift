extension RuleSet {
    /// Checks the rules against the tables of a database.
    ///
    /// - Parameters:
    ///   - schema: The columns of every table, or at least of those that rules are about.
    ///   - lookupColumns: The columns that the lookups return, by the names of their rules. Of a rule that is not
    ///     among them, the columns of the lookup's result are not checked.
    /// - Returns: a diagnostic for each name that the database doesn't have.
    public func validate(
        against schema: [TableName: [String]], lookupColumns: [String: [String]] = [:]
    ) -> [RulesDiagnostic] {
        rules.flatMap { rule -> [RulesDiagnostic] in
            guard let columns = schema[rule.table.value] else {
                return [unknownTable(rule.table, known: Array(schema.keys))]
            }
            let table = "the table '\(rule.table.value)'"
            var diagnostics = unknown(rule.tableColumns, among: columns, of: table)
            if rule.lookup != nil, let columns = lookupColumns[rule.name.value] {
                diagnostics += unknown(rule.lookupColumns, among: columns, of: "the lookup's result")
            }
            return diagnostics
        }
    }

    /// Checks the rules' targets against those that there are.
    ///
    /// - Returns: a diagnostic for each name that is none of these.
    public func validate(targets known: [String]) -> [RulesDiagnostic] {
        rules.flatMap(\.targets).filter { !known.contains($0.value) }.map { target in
            RulesDiagnostic(
                target.location, "unknown target '\(target.value)'", suggestion: known.nearest(to: target.value))
        }
    }

    private func unknown(
        _ uses: [Located<ImageColumn>], among columns: [String], of what: String
    ) -> [RulesDiagnostic] {
        uses.filter { !columns.contains($0.value.name) }.map { use in
            let name = use.value.name
            let suggestion = columns.nearest(to: name)
            return RulesDiagnostic(
                use.location, "unknown column '\(name)' of \(what)", suggestion: suggestion)
        }
    }

    private func unknownTable(_ table: Located<TableName>, known: [TableName]) -> RulesDiagnostic {
        let known = known.sorted { $0.description < $1.description }
        // The right name in the wrong schema is likelier than a slip of the finger.
        let elsewhere = known.first { $0.name == table.value.name }?.description
        let suggestion = elsewhere ?? known.map(\.description).nearest(to: table.value.description)
        return RulesDiagnostic(table.location, "unknown table '\(table.value)'", suggestion: suggestion)
    }
}
