extension RulesFileParser {
    /// A test of the rules that this file has above it.
    mutating func test(_ field: YAMLField) -> RuleTest? {
        let known = ["name", "table", "insert", "update", "delete", "truncate", "where", "lookup", "expect"]
        guard let fields = fields(of: field, "a test", known: known) else { return nil }
        let name = required("name", in: fields).flatMap { locatedText($0) }
        let table = required("table", in: fields).flatMap { self.table($0) }
        let change = change(of: fields)
        let expected = required("expect", in: fields).map { expectations($0) } ?? [:]
        let predicates = fields["where"].map { self.predicates($0) } ?? [:]
        let lookups = fields["lookup"].map { self.lookups($0) } ?? [:]
        guard let name, let table, let change else { return nil }
        let rules = file.rules.filter { $0.table.value == table.value }
        if rules.isEmpty {
            let suggestion = file.rules.map(\.table.value.description).nearest(to: table.value.description)
            fail(table.location, "no rule of this file is about '\(table.value)'", suggestion: suggestion)
        }
        for (row, side) in [(change.old, ImageColumn.Side.old), (change.new, .new)] {
            guard let row else { continue }
            for rule in rules where predicates[rule.name.value] ?? true {
                let needed = RuleTest.needs(rule, side, of: change.kind)
                requireColumns(needed, in: row, neededBy: "the rule '\(rule.name.value)'")
            }
        }
        return RuleTest(
            name: name, table: table.value, kind: change.kind, old: change.old?.value, new: change.new?.value,
            predicates: predicates, lookups: lookups, keys: expected["keys"] ?? [],
            patterns: expected["patterns"] ?? [], rewarms: expected["rewarm"] ?? [], tags: expected["tags"] ?? [],
            expirations: expected["expire"] ?? [], counters: expected["bump"] ?? [],
            publications: expected["publish"] ?? [])
    }

    private mutating func expectations(_ field: YAMLField) -> [String: [String]] {
        let known = ["keys", "patterns", "tags", "rewarm", "expire", "bump", "publish"]
        guard let fields = fields(of: field, "'expect'", known: known) else { return [:] }
        return fields.keys.reduce(into: [:]) { expected, key in
            expected[key.text] = fields[key.text].map { texts(of: $0).map(\.value) }
        }
    }

    private typealias TestChange = (
        kind: Change.Kind, old: Located<RuleTest.Row>?, new: Located<RuleTest.Row>?
    )

    private mutating func change(of fields: YAMLFields) -> TestChange? {
        let kinds = ["insert", "update", "delete", "truncate"].filter { fields[$0] != nil }
        guard kinds.count == 1, let kind = kinds.first, let field = fields[kind] else {
            fail(fields.location, "a test needs one of insert, update, delete, truncate")
            return nil
        }
        switch kind {
        case "insert":
            return row(field).map { (.insert, nil, $0) }
        case "delete":
            return row(field).map { (.delete, $0, nil) }
        case "truncate":
            guard boolean(field) == false else { return (.anyRow, nil, nil) }
            fail(field.value.location, "'truncate' must be true: a test is about a change")
            return nil
        default:
            guard let fields = self.fields(of: field, "'update'", known: ["old", "new"]) else { return nil }
            let old = required("old", in: fields).flatMap { row($0) }
            let new = required("new", in: fields).flatMap { row($0) }
            guard let old, let new else { return nil }
            return (.update, old, new)
        }
    }

    private mutating func row(_ field: YAMLField) -> Located<RuleTest.Row>? {
        guard let fields = anyFields(of: field, "a row") else { return nil }
        var row: RuleTest.Row = [:]
        for key in fields.keys {
            guard let value = fields[key.text] else { continue }
            switch value.value.content {
            case .scalar(let scalar): row[key.text] = .some(scalar.isNull ? nil : scalar.text)
            case .list, .mapping:
                fail(value.value.location, "\(value.label) must be a column's text, not \(value.value.kind)")
                row[key.text] = .some("")
            }
        }
        return Located(row, fields.location)
    }

    private mutating func predicates(_ field: YAMLField) -> [String: Bool] {
        var predicates: [String: Bool] = [:]
        forEachRule(in: field, having: "where", { $0.predicate != nil }) { parser, rule, value in
            predicates[rule.name.value] = parser.boolean(value)
        }
        return predicates
    }

    private mutating func lookups(_ field: YAMLField) -> [String: [RuleTest.Row]] {
        var lookups: [String: [RuleTest.Row]] = [:]
        forEachRule(in: field, having: "lookup", { $0.lookup != nil }) { parser, rule, value in
            let rows = parser.items(of: value).compactMap { parser.row($0) }
            let needed = Set(rule.lookupColumns.map(\.value.name)).sorted()
            for row in rows {
                parser.requireColumns(needed, in: row, neededBy: "the rule '\(rule.name.value)'")
            }
            lookups[rule.name.value] = rows.map(\.value)
        }
        return lookups
    }

    /// Reads a mapping by names of rules.
    private mutating func forEachRule(
        in field: YAMLField, having part: String, _ has: (Rule) -> Bool,
        _ body: (inout RulesFileParser, Rule, YAMLField) -> Void
    ) {
        guard let fields = anyFields(of: field, field.label) else { return }
        for key in fields.keys {
            guard let value = fields[key.text] else { continue }
            guard let rule = file.rules.first(where: { $0.name.value == key.text }) else {
                let suggestion = file.rules.map(\.name.value).nearest(to: key.text)
                fail(key.location, "this file has no rule '\(key.text)'", suggestion: suggestion)
                continue
            }
            guard has(rule) else {
                fail(key.location, "the rule '\(key.text)' has no '\(part)'")
                continue
            }
            body(&self, rule, value)
        }
    }

    private mutating func requireColumns(
        _ columns: [String], in row: Located<RuleTest.Row>, neededBy what: String
    ) {
        for column in columns where row.value[column] == nil {
            fail(row.location, "\(what) needs the column '\(column)', which this row does not give")
        }
    }
}
