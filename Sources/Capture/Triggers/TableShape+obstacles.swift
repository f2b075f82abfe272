import Rules

extension TableShape {
    /// Why triggers can't see every change of the table, each with what to do; empty: they can.
    var obstacles: [String] { ancestors.map(obstacle) + foreignDescendants.map(foreignObstacle) }

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
