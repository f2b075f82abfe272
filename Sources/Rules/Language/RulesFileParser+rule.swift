extension RulesFileParser {
    /// A rule, unless it lacks what every rule needs. What else is wrong is reported and left out.
    mutating func rule(_ field: YAMLField) -> Rule? {
        let known = [
            "name", "table", "on", "columns", "where", "lookup",
            "delete", "rewarm", "expire", "bump", "publish", "fence", "repeat_after",
            "targets",
        ]
        guard let fields = fields(of: field, "a rule", known: known) else { return nil }
        let name = required("name", in: fields).flatMap { locatedText($0) }
        let table = required("table", in: fields).flatMap { self.table($0) }
        let actions = ["delete", "rewarm", "expire", "bump", "publish"]
        if !actions.contains(where: { fields[$0] != nil }) {
            fail(fields.location, "a rule needs one of \(actions.joined(separator: ", "))")
        }
        let operations = fields["on"].map { self.operations($0) } ?? Operation.allCases
        if let columns = fields["columns"], !operations.contains(.update) {
            fail(columns.location, "'columns' is about updates, which 'on' leaves out")
        }
        let rule = Rule(
            // A rule without them is dropped below, once the rest of it is checked.
            name: name ?? Located("", fields.location),
            table: table ?? Located(TableName(name: ""), fields.location),
            operations: operations,
            columns: fields["columns"].map { texts(of: $0) } ?? [],
            predicate: fields["where"].flatMap { parse($0, by: SQLPredicate.parse) },
            lookup: fields["lookup"].flatMap { parse($0, by: SQLTemplate.parse) },
            delete: fields["delete"].map { deletion($0) } ?? Deletion(),
            rewarm: fields["rewarm"].map { items(of: $0).compactMap { rewarm($0) } } ?? [],
            expire: fields["expire"].flatMap { expiration($0) },
            bump: fields["bump"].map { templates(of: $0, as: .anyKey) } ?? [],
            publish: fields["publish"].flatMap { publication($0) },
            fence: fields["fence"].flatMap { boolean($0) } ?? false,
            repeatAfter: fields["repeat_after"].map { durations(of: $0, upTo: Rule.longestRepeat) } ?? [],
            targets: fields["targets"].map { targets($0) } ?? [],
            location: fields.location)
        checkSides(of: rule)
        checkPurposes(of: rule)
        return name == nil || table == nil ? nil : rule
    }

    private mutating func operations(_ field: YAMLField) -> [Operation] {
        let names = texts(of: field)
        let operations = names.compactMap { choice($0, label: field.label, of: Operation.self) }
        if case .list(let items) = field.value.content, items.isEmpty {
            fail(field.location, "'on' is empty: the rule would never fire")
        }
        return Operation.allCases.filter(operations.contains)
    }

    private mutating func targets(_ field: YAMLField) -> [Located<String>] {
        if case .list(let items) = field.value.content, items.isEmpty {
            fail(field.location, "'targets' is empty: the rule would concern no target")
        }
        return texts(of: field)
    }

    mutating func table(_ field: YAMLField) -> Located<TableName>? {
        guard let text = text(field) else { return nil }
        let dot = UInt8(ascii: ".")
        let parts = text.utf8.split(separator: dot, maxSplits: 1, omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        guard parts.allSatisfy({ !$0.isEmpty }) else {
            fail(field.value.location, "'table' must be table or schema.table, not '\(text)'")
            return nil
        }
        let table = parts.count == 1 ? TableName(name: parts[0]) : TableName(schema: parts[0], name: parts[1])
        return Located(table, field.value.location)
    }

    /// A template that asks for an image which no change of the rule has would never be filled.
    private mutating func checkSides(of rule: Rule) {
        for use in rule.rowColumns {
            switch (use.value.side, rule.operations) {
            case (.old, [.insert]):
                fail(use.location, "'\(use.value)': an insert has no old row, and 'on' has nothing else")
            case (.new, [.delete]):
                fail(use.location, "'\(use.value)': a delete has no new row, and 'on' has nothing else")
            default: break
            }
        }
    }

    /// A key is one thing: what is deleted as an entry is no tag and no counter.
    private mutating func checkPurposes(of rule: Rule) {
        let uses = [
            ("an entry that is deleted or loaded anew", rule.delete.keys + rule.rewarm.map(\.key)),
            ("an entry that expires", rule.expire?.keys ?? []), ("a tag", rule.delete.tags), ("a counter", rule.bump),
        ]
        var first: [String: String] = [:]
        for (use, templates) in uses {
            for template in templates {
                guard let other = first[template.source], other != use else {
                    first[template.source] = use
                    continue
                }
                fail(template.location, "'\(template.source)' is \(use) and \(other) in the same rule")
            }
        }
    }
}
