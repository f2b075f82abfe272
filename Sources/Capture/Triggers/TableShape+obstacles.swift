import Rules

extension TableShape {
    /// Why triggers can't see every change of the table, each with what to do; empty: they can.
    var obstacles: [String] { ancestors.map(obstacle) }

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
}
