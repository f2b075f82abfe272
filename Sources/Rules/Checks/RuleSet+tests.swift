extension RuleSet {
    /// Runs the tests of the rules files through the real planner. What Postgres would evaluate is done here:
    /// `on` and `columns` by comparing the rows of the test; `where` is true unless the test says otherwise. A
    /// test is about the rules of its own file.
    public func runTests() -> [TestOutcome] {
        files.flatMap { file in file.tests.map { $0.run(file.rules) } }
    }
}

extension RuleTest {
    /// Plans the change as if a capture had recorded it, and compares.
    fileprivate func run(_ rules: [Rule]) -> TestOutcome {
        let own = rules.filter { $0.table.value == table }
        // Each rule by itself: a test may say of two rules with one condition that it is true of one of them.
        let all = own.reduce(into: Work()) { $0.merge(work(of: $1)) }
        let deleted = all.keys.map { "key \($0.key)" } + all.patterns.map { "pattern \($0.pattern)" }
        let planned =
            deleted + all.rewarms.map { "rewarm \($0.key)" } + all.actions.map { "\($0.action) \($0.key)" }
            + all.patternActions.map { "\($0.action) \($0.pattern)" } + publications(of: own)
        let expected =
            keys.map { "key \($0)" } + patterns.map { "pattern \($0)" } + rewarms.map { "rewarm \($0)" }
            + tags.map { "tag \($0)" } + expirations.map { "expire \($0)" } + counters.map { "bump \($0)" }
            + publications.map { "publish \($0)" }
        return TestOutcome(
            name: name.value, location: name.location, missing: expected.filter { !planned.contains($0) },
            unexpected: planned.filter { !expected.contains($0) } + impossiblePredicates(of: own))
    }

    /// Each `where` that the test says is false, and that Postgres counts as fulfilled: it asks about a row that isn't
    /// there.
    private func impossiblePredicates(of rules: [Rule]) -> [String] {
        guard let operation = kind.operation, operation != .update else { return [] }
        let (absent, why) =
            operation == .insert ? ("old", "an insert has no old row") : ("new", "a delete has no new row")
        return rules.compactMap { rule in
            guard predicates[rule.name.value] == false, rule.operations.contains(operation),
                let predicate = rule.predicate, SQLPredicate.mentions(absent, in: predicate.sql)
            else { return nil }
            return "where {\(rule.name.value): false}: \(why), and a 'where' that asks about it counts as fulfilled"
        }
    }

    /// A channel, and behind it each message that the rule has of its own.
    private func publications(of rules: [Rule]) -> [String] {
        rules.flatMap { rule in
            work(of: rule).news.flatMap { news -> [String] in
                let channel = "publish \(rule.publish?.channel.source ?? "")"
                guard rule.publish?.message != nil else { return [channel] }
                return news.items.compactMap { item in
                    guard case .message(let text) = item else { return nil }
                    return "\(channel) \(String(decoding: text, as: UTF8.self))"
                }
            }
        }
    }

    private func work(of rule: Rule) -> Work {
        let manifest = Manifest(table: table, rules: [rule])
        let change = Change(
            capture: 1, kind: kind, fired: fires(rule) ? 1 : 0, old: old.map { image($0, manifest) },
            new: new.map { image($0, manifest) })
        let planner = Planner(rules: [rule], manifests: [1: manifest])
        var plan = planner.plan([change])
        guard let rows = lookups[rule.name.value] else { return plan.work }
        let columns = Set(rule.lookupColumns.map(\.value.name)).sorted()
        let values = rows.map { row in columns.map { row[$0].flatMap { $0 }.map { Array($0.utf8) } } }
        for call in plan.lookups {
            // Every column that a template uses is there: it is made from the templates.
            if let found = try? planner.plan(call, columns: columns, rows: values) { plan.merge(found) }
        }
        return plan.work
    }

    /// What the trigger would find out.
    private func fires(_ rule: Rule) -> Bool {
        let condition = rule.condition
        guard let operation = kind.operation, condition.operations.contains(operation),
            predicates[rule.name.value] ?? true
        else { return false }
        guard operation == .update, !condition.columns.isEmpty else { return true }
        return condition.columns.contains { old?[$0] != new?[$0] }
    }

    private func image(_ row: Row, _ manifest: Manifest) -> Image {
        // What a rule needs of this row is in it, or the file would have been refused.
        Image(manifest.columns.map { row[$0].flatMap { $0 } })
    }

    /// The columns that a row of the test must have, for a rule that the change may fire.
    static func needs(_ rule: Rule, _ side: ImageColumn.Side, of kind: Change.Kind) -> [String] {
        guard let operation = kind.operation, rule.operations.contains(operation) else { return [] }
        let used = rule.rowColumns.map(\.value).filter { $0.side == .either || $0.side == side }
        return Set(used.map(\.name) + (operation == .update ? rule.condition.columns : [])).sorted()
    }
}

extension Change.Kind {
    fileprivate var operation: Operation? {
        switch self {
        case .insert: .insert
        case .update: .update
        case .delete: .delete
        case .anyRow: nil
        }
    }
}
