import Postgres
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct LookupRunnerTests {
    /// Each try of the slow one counts, whatever becomes of it.
    private static let rules = """
        version: 1
        rules:
          - name: slow
            table: lines
            lookup: select nextval('tries') as number, pg_sleep(60 + 0 * :order_id)
            delete: {keys: ["slow:{number}"]}
          - name: failing
            table: lines
            lookup: select 1 / (:order_id - 3) as number
            delete: {keys: ["failing:{number}"]}
          - name: well
            table: lines
            lookup: select o.number from orders o where o.id = :order_id
            delete: {keys: ["order:{number}"]}
        """
    private static let schema = """
        CREATE SEQUENCE tries;
        CREATE TABLE orders (id int PRIMARY KEY, number text);
        INSERT INTO orders SELECT n, 'n' || n FROM generate_series(1, 8) AS n
        """

    /// A query that takes too long is run once, and all its calls fail; those behind it and beside it don't.
    @Test func whatTakesTooLongIsNotHalved() async throws {
        let set = try RuleSet.parse(Self.rules)
        let manifest = set.manifest(for: set.tables[0])
        let planner = Planner(rules: set.rules, manifests: [1: manifest])
        let plan = planner.plan(
            (1...8).map { Change(capture: 1, kind: .insert, fired: 1, new: Image(["\($0)"])) })
        #expect(plan.lookups.count == 24)
        try await TestDatabase.with { database in
            try await database.psql(Self.schema)
            let connection = try await PostgresConnection.connect(PostgresSettings(connection: database.url))
            try await connection.script("SET statement_timeout = '500ms'", doing: "testing")
            var statements: [String: LookupStatement] = [:]
            for rule in set.rules {
                statements[rule.name.value] = LookupStatement(rule: rule, types: ["order_id": "int"])
            }
            let runner = LookupRunner(connection: connection, statements: statements)
            let found = try await runner.run(plan.lookups, planner: planner)
            #expect(try await database.psql("SELECT last_value || ' ' || is_called FROM tries") == "1 true\n")
            #expect(found.failures.count == 9)
            let slow = found.failures.filter { $0.rule == "slow" }
            #expect(Set(slow.map(\.action)).count == 8)
            #expect(slow.allSatisfy { $0.reason.contains("SQLSTATE 57014") })
            #expect(found.failures.filter { $0.rule == "failing" }.allSatisfy { $0.reason.contains("22012") })
            let keys = Set(found.plan.keys.map(\.key.description))
            #expect((1...8).allSatisfy { keys.contains("order:n\($0)") })
        }
    }

    /// A lookup that writes where it is only to read is its own fault, and not the server's. Behind a pooler each has a
    /// transaction that leaves nothing behind.
    @Test(arguments: [true, false]) func whatWritesIsParked(isPooled: Bool) async throws {
        let set = try RuleSet.parse(
            """
            version: 1
            rules:
              - name: writing
                table: lines
                lookup: select o.number from orders o where o.id = :order_id for share
                delete: {keys: ["writing:{number}"]}
              - name: well
                table: lines
                lookup: select o.number || current_setting('DateStyle') as number from orders o where o.id = :order_id
                delete: {keys: ["order:{number}"]}
            """)
        let planner = Planner(rules: set.rules, manifests: [1: set.manifest(for: set.tables[0])])
        let plan = planner.plan((1...8).map { Change(capture: 1, kind: .insert, fired: 3, new: Image(["\($0)"])) })
        try await TestDatabase.with { database in
            try await database.psql(Self.schema)
            let connection = try await PostgresConnection.connect(PostgresSettings(connection: database.url))
            let settings = "SET DateStyle = 'German'; " + LookupRunner.settings
            if !isPooled { try await connection.script(settings, doing: "testing") }
            var statements: [String: LookupStatement] = [:]
            for rule in set.rules {
                statements[rule.name.value] = LookupStatement(rule: rule, types: ["order_id": "int"])
            }
            let runner = LookupRunner(
                connection: connection, statements: statements, transactionSettings: isPooled ? settings : nil)
            // Batches have the connection together, and a transaction that fails is none of the others'.
            let well = plan.lookups.filter { $0.rule == 1 }
            let others = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        _ = try await runner.run(plan.lookups.filter { $0.rule == 0 }, planner: planner)
                        return 0
                    }
                    group.addTask { try await runner.run(well, planner: planner).failures.count }
                }
                return try await group.reduce(0, +)
            }
            #expect(others == 0)
            let found = try await runner.run(plan.lookups, planner: planner)
            #expect(found.failures.count == 8 && found.failures.allSatisfy { $0.rule == "writing" })
            #expect(found.failures.allSatisfy { $0.reason.contains("SQLSTATE 25006") })
            #expect(Set(found.plan.keys.map(\.key.description)) == Set((1...8).map { "order:n\($0)German, DMY" }))
            guard isPooled else { return }
            let after = try await connection.query(
                """
                SELECT concat(current_setting('DateStyle'), current_setting('default_transaction_read_only'),
                    current_setting('statement_timeout'))
                """, doing: "testing")
            #expect(after.first?.text(0) == "ISO, MDYoff0")
        }
    }

    /// Many calls, none of which takes long, are more than one query: together they would be too slow.
    @Test func manyCallsAreNotSlow() async throws {
        let set = try RuleSet.parse(
            """
            version: 1
            rules:
              - name: many
                table: lines
                lookup: select :order_id::text as number, pg_sleep(0.001)
                delete: {keys: ["order:{number}"]}
            """)
        let planner = Planner(rules: set.rules, manifests: [1: set.manifest(for: set.tables[0])])
        let plan = planner.plan(
            (1...1_800).map { Change(capture: 1, kind: .insert, fired: 1, new: Image(["\($0)"])) })
        try await TestDatabase.with { database in
            let connection = try await PostgresConnection.connect(PostgresSettings(connection: database.url))
            try await connection.script("SET statement_timeout = '1500ms'", doing: "testing")
            let statement = LookupStatement(rule: set.rules[0], types: ["order_id": "int"])
            let runner = LookupRunner(connection: connection, statements: ["many": try #require(statement)])
            let found = try await runner.run(plan.lookups, planner: planner)
            #expect(found.failures.isEmpty && found.plan.keys.count == 1_800)
        }
    }
}
