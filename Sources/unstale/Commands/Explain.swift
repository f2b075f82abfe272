import ArgumentParser
import Capture
import Delivery
import Postgres
import Redis
import Rules

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says which keys a statement would delete, or which rules can make a key stale.")

    @OptionGroup var options: SettingsOptions
    @OptionGroup var which: TargetOption

    @Option(help: "A statement: it is run in a transaction that is rolled back.")
    var sql: String?

    @Option(help: "A key.")
    var key: String?

    func validate() throws {
        guard (sql == nil) != (key == nil) else { throw ValidationError("give either --sql or --key") }
        guard key == nil || which.target == nil else { throw ValidationError("--target goes with --sql") }
    }

    func run() async throws {
        let settings = try Settings(options)
        let rules = try settings.rules()
        if let key {
            explain(key: key, rules)
        } else if let sql {
            try await explain(sql: sql, rules, settings)
        }
    }

    // MARK: A key

    private func explain(key: String, _ rules: RuleSet) {
        let matches = rules.rules(thatMayStale: key)
        guard !matches.isEmpty else { return print("no rule can make this key stale") }
        for match in matches {
            let rule = match.rule
            let action = match.action.map { " (\($0))" } ?? ""
            print("\(rule.name.value) (\(rule.location)): \(escaped(match.template.source))\(action)")
            let operations = rule.operations.map(\.rawValue).joined(separator: ", ")
            print("    \(operations) on \(rule.table.value)" + (rule.lookup == nil ? "" : ", by its lookup"))
            let columns = rule.condition.columns
            print(
                "    "
                    + (columns.isEmpty
                        ? "an update of any column" : "an update of \(columns.joined(separator: ", "))"))
            if !rule.targets.isEmpty { print("    at \(rule.targets.map(\.value).joined(separator: ", "))") }
            if let predicate = rule.predicate { print("    where \(escaped(predicate.sql))") }
            for binding in match.bindings {
                print("    \(binding.placeholder.column.name) = \(escaped(binding.value))")
            }
        }
    }

    // MARK: A statement

    private func explain(sql: String, _ rules: RuleSet, _ settings: Settings) async throws {
        let target = try settings.target(named: which.target)
        let connection = try await PostgresConnection.connect(settings.postgres())
        let capture = try await CaptureState.read(rules.rules, listening: settings.listening(), connection)
        for problem in capture.problems { printError("unstale: degraded: \(problem.reason)") }
        for table in capture.listened {
            printError("unstale: changes of \(table) are told by notifications, which are not looked at here")
        }
        let doing = "explaining the statement"
        try await connection.script("BEGIN; " + TextSetting.pinAll, doing: doing)
        let affected = try await affectedRows(sql, connection)
        let batch = try await Outbox(connection: connection).readOwnTransaction()
        var explanations: [(rule: Rule, plan: Plan)] = []
        for rule in rules.rules where rule.concerns(target: target.name) {
            let planner = Planner(rules: [rule], manifests: capture.manifests)
            var plan = planner.plan(batch.changes)
            // In this very transaction, lookups see what the statement did.
            let lookups = LookupRunner(connection: connection, statements: capture.lookups)
            try await connection.script("SAVEPOINT lookups", doing: doing)
            let found = try await lookups.run(plan.lookups, planner: planner)
            // A failure aborts the transaction, so those behind the first say nothing.
            if let failure = found.failures.first { printError("unstale: \(failure.reason)") }
            try await connection.script("ROLLBACK TO lookups", doing: doing)
            plan.merge(found.plan)
            if !plan.isEmpty { explanations.append((rule, plan)) }
        }
        try await connection.script("ROLLBACK", doing: doing)
        print("\(affected) rows affected, \(batch.changes.count) changes captured; rolled back")
        guard !explanations.isEmpty else { return print("no rule fires") }
        try await ExplainedKeys.with(target.url) { keys in
            for (rule, plan) in explanations {
                print("\(rule.name.value) (\(rule.location))")
                for planned in plan.keys {
                    let state = try await keys.exists(planned.key) ? "exists" : "not cached"
                    print("    key \(escaped(planned.key.description)): \(state)")
                }
                for call in plan.rewarms {
                    let state = try await keys.exists(call.key) ? "exists" : "not cached"
                    print("    rewarm \(escaped(call.key.description)): \(state)")
                }
                for planned in plan.patterns {
                    print(
                        "    pattern \(escaped(planned.pattern.description)): \(try await keys.count(planned.pattern)) keys exist"
                    )
                }
                try await explain(actionsOf: plan, keys)
                if !plan.news.isEmpty, let publish = rule.publish {
                    print("    publish \(escaped(publish.channel.source))")
                }
            }
        }
    }

    private func explain(actionsOf plan: Plan, _ keys: ExplainedKeys) async throws {
        for planned in plan.actions {
            var state = try await keys.exists(planned.key) ? "exists" : "not cached"
            if planned.action == .emptyTag { state = try await keys.filed(under: planned.key) }
            print("    \(planned.action) \(escaped(planned.key.description)): \(state)")
        }
        for planned in plan.patternActions {
            let count = try await keys.count(planned.pattern)
            print("    \(planned.action) \(escaped(planned.pattern.description)): \(count) keys exist that match")
        }
    }

    /// Runs the statement; what the server has against it is the user's to mend. Inside of EXECUTE nothing can end
    /// the transaction.
    private func affectedRows(_ sql: String, _ connection: PostgresConnection) async throws -> Int {
        let doing = "running the statement"
        do throws(PostgresError) {
            let body = """
                DECLARE affected bigint;
                BEGIN
                    EXECUTE \(SQL.literal(sql));
                    GET DIAGNOSTICS affected = ROW_COUNT;
                    PERFORM set_config('unstale.affected', affected::text, true);
                END
                """
            try await connection.script("DO \(SQL.literal(body))", doing: doing)
            let rows = try await connection.query("SELECT current_setting('unstale.affected')", doing: doing)
            return rows.first?.int(0) ?? 0
        } catch {
            guard error.sqlState != nil, !error.isServerTrouble else { throw error }
            throw Failure(.badRules, "\(error)")
        }
    }
}
