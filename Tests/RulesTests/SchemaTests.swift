import Testing

@testable import Rules

/// Rules against a database's tables.
@Suite struct SchemaTests {
    private let schema: [TableName: [String]] = [
        TableName(name: "users"): ["id", "name", "eMail"],
        TableName(name: "lines"): ["id", "order_id"],
        TableName(schema: "app", name: "teams"): ["id"],
    ]

    /// A rule names its targets, or concerns all.
    @Test func targets() throws {
        let rules = try RuleSet.parse(
            """
            version: 1
            rules:
              - {name: a, table: users, targets: [one, twoo], delete: {keys: ['k:{id}']}}
              - {name: b, table: users, delete: {keys: ['k:{id}']}}
            """, file: "r.yaml")
        #expect(rules.rules.map { $0.concerns(target: "one") } == [true, true])
        #expect(rules.rules.map { $0.concerns(target: "two") } == [false, true])
        #expect(rules.validate(targets: ["one", "twoo"]).isEmpty)
        #expect(
            rules.validate(targets: ["one", "two"]).map(\.description)
                == ["r.yaml:3:44: error: unknown target 'twoo'; did you mean 'two'?"])
    }

    @Test func everythingKnown() throws {
        #expect(
            try lines(
                """
                  - {name: a, table: users, columns: [name], delete: {keys: ['k:{id}', 'm:{new.eMail}']}}
                  - {name: b, table: lines, lookup: 'select :order_id as n', delete: {keys: ['k:{n}:{old.id}']}}
                """) == [])
    }

    @Test(arguments: [
        (
            "{name: a, table: user, delete: {keys: ['k:{x}']}}",
            "r.yaml:3:22: error: unknown table 'public.user'; did you mean 'public.users'?"
        ),
        (
            "{name: a, table: teams, delete: {keys: ['k:{x}']}}",
            "r.yaml:3:22: error: unknown table 'public.teams'; did you mean 'app.teams'?"
        ),
        (
            "{name: a, table: xyz, delete: {keys: ['k:{x}']}}",
            "r.yaml:3:22: error: unknown table 'public.xyz'"
        ),
        (
            "{name: a, table: users, columns: [nam], delete: {keys: ['k:{id}']}}",
            "r.yaml:3:39: error: unknown column 'nam' of the table 'public.users'; did you mean 'name'?"
        ),
        (
            "{name: a, table: users, delete: {keys: ['k:{email|lower}']}}",
            "r.yaml:3:49: error: unknown column 'email' of the table 'public.users'; did you mean 'eMail'?"
        ),
        (
            "{name: a, table: lines, delete: {patterns: ['k:{new.orderid}*']}}",
            "r.yaml:3:53: error: unknown column 'orderid' of the table 'public.lines'; did you mean 'order_id'?"
        ),
        (
            "{name: a, table: lines, lookup: 'select :ordr_id', delete: {keys: ['k:{a}']}}",
            "r.yaml:3:45: error: unknown column 'ordr_id' of the table 'public.lines'; did you mean 'order_id'?"
        ),
        (
            "{name: b, table: lines, lookup: 'table x', delete: {keys: ['k:{numbr}']}}",
            "r.yaml:3:68: error: unknown column 'numbr' of the lookup's result; did you mean 'number'?"
        ),
    ])
    func unknown(rule: String, line: String) throws {
        #expect(try lines("  - \(rule)") == [line])
    }

    private func lines(_ rules: String) throws -> [String] {
        try RuleSet.parse("version: 1\nrules:\n" + rules, file: "r.yaml")
            .validate(against: schema, lookupColumns: ["b": ["number", "n"]]).map(\.description)
    }
}
