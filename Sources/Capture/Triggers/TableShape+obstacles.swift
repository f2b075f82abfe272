import Rules

extension TableShape {
    /// Why triggers can't see all that a capture is to record, each with what to do; empty: they can.
    func obstacles(to manifest: Manifest) -> [String] {
        let named = Set(manifest.columns + manifest.conditions.flatMap(\.columns))
        let predicates = manifest.conditions.compactMap(\.predicate)
        let unseen = virtualColumns.filter { column in
            named.contains(column) || predicates.contains { SQLPredicate.mentions(column, in: $0) }
        }
        return obstacles + unseen.map(virtualObstacle)
    }

    /// The same about one rule, where it stands.
    func obstacles(to rule: Rule) -> [RulesDiagnostic] {
        var diagnostics = obstacles.map { RulesDiagnostic(rule.table.location, $0) }
        for use in rule.tableColumns where virtualColumns.contains(use.value.name) {
            diagnostics.append(RulesDiagnostic(use.location, virtualObstacle(use.value.name)))
        }
        guard let predicate = rule.predicate else { return diagnostics }
        for column in virtualColumns where SQLPredicate.mentions(column, in: predicate.sql) {
            diagnostics.append(RulesDiagnostic(predicate.location, virtualObstacle(column)))
        }
        return diagnostics
    }

    /// Those of the table, whatever is recorded of it.
    private var obstacles: [String] { ancestors.map(obstacle) + foreignDescendants.map(foreignObstacle) }

    private var virtualColumns: [String] { columns.filter(\.isVirtual).map(\.name) }

    private func virtualObstacle(_ column: String) -> String {
        "'\(column)' of '\(name)' is a virtual generated column, which triggers don't see: make it STORED, or use the columns "
            + "that it is made of"
    }

    private func obstacle(_ ancestor: Ancestor) -> String {
        let kin = ancestor.isPartition ? "is a partition of" : "inherits from"
        guard ancestor.member == name else {
            // A partition has got one parent, so this is not about any.
            return "'\(ancestor.member)' \(kin) '\(ancestor.name)' as well as '\(name)', and no triggers see what is "
                + "written by way of both: end one of the two by ALTER TABLE … NO INHERIT"
        }
        return "'\(name)' \(kin) '\(ancestor.name)', and its triggers miss what is written by way of that: name "
            + "'\(ancestor.name)', with a 'where' if the rule is only about some of its rows"
    }

    /// For a foreign table there are no transition tables: Postgres raises an error in the application's statement, or
    /// leaves the rows out, as older ones do.
    private func foreignObstacle(_ table: TableName) -> String {
        "'\(table)', which is part of '\(name)', is a foreign table: with triggers on '\(name)' Postgres refuses to write its "
            + "rows by way of that; detach it, or do without rules about '\(name)'"
    }
}
