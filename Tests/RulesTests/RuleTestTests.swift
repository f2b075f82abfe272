import Testing

@testable import Rules

/// The tests that a rules file carries.
@Suite struct RuleTestTests {
    private static let rules = """
        version: 1
        rules:
          - {name: user, table: users, columns: [name], where: new.a, delete: {keys: ['user:{id}'], patterns: ['p:{id}*']}}
          - {name: line, table: lines, on: [insert], lookup: 'select :order_id as n', delete: {keys: ['o:{n}:{new.id}']}}
        tests:

        """

    @Test(arguments: [
        (
            "update: {old: {id: 1, name: a}, new: {id: 1, name: b}}, expect: {keys: ['user:1'], patterns: ['p:1*']}",
            [], []
        ),
        ("update: {old: {id: 1, name: a}, new: {id: 1, name: a}}, expect: {}", [], []),
        (
            "update: {old: {id: 1, name: a}, new: {id: 1, name: ~}}, expect: {keys: ['user:1'], patterns: ['p:1*']}",
            [], []
        ),
        (
            "update: {old: {id: 1, name: a}, new: {id: 2, name: a}}, expect: {keys: ['user:1', 'user:3']}",
            ["key user:3"], ["key user:2", "pattern p:1*", "pattern p:2*"]
        ),
        (
            "insert: {id: 007}, expect: {keys: ['user:7']}", ["key user:7"],
            ["key user:007", "pattern p:007*"]
        ),
        ("insert: {id: 1}, where: {user: false}, expect: {keys: ['user:1']}", ["key user:1"], []),
        ("truncate: true, expect: {patterns: ['user:*', 'p:*']}", [], []),
    ])
    func outcomes(test: String, missing: [String], unexpected: [String]) throws {
        let rules = try RuleSet.parse(Self.rules + "  - {name: t, table: users, \(test)}")
        let outcome = try #require(rules.runTests().first)
        #expect(outcome.missing == missing)
        #expect(outcome.unexpected == unexpected)
        #expect(outcome.passed == (missing.isEmpty && unexpected.isEmpty))
        #expect(outcome.location.line == 6)
    }

    /// Postgres counts a `where` that asks about a row which isn't there as fulfilled.
    @Test(arguments: [
        ("insert, update", "old.a", "insert: {id: 1}", ["an insert has no old row"]),
        ("delete", "old.a or new.a", "delete: {id: 1}", ["a delete has no new row"]),
        ("update", "old.a", "insert: {id: 1}", []),
        ("insert", "new.a <> 'old'", "insert: {id: 1}", []),
        ("update", "old.a and new.a", "update: {old: {id: 1}, new: {id: 1}}", []),
    ])
    func aWhereThatCantBeFalse(on: String, predicate: String, change: String, whys: [String]) throws {
        let yaml = """
            version: 1
            rules: [{name: r, table: t, on: [\(on)], where: "\(predicate)", delete: {keys: ['k:{id}']}}]
            tests: [{name: t, table: t, \(change), where: {r: false}, expect: {}}]
            """
        let outcome = try #require(try RuleSet.parse(yaml).runTests().first)
        #expect(outcome.missing == [])
        let lines = whys.map { "where {r: false}: \($0), and a 'where' that asks about it counts as fulfilled" }
        #expect(outcome.unexpected == lines)
    }

    @Test(arguments: [
        (
            "{old: {id: 1, a: x}, new: {id: 1, a: y}}",
            "{tags: ['t:1'], expire: ['e:x', 'e:y'], bump: ['g'], publish: ['c', 'd m1']}", [], []
        ),
        (
            "{old: {id: 1, a: x}, new: {id: 1, a: x}}", "{tags: ['t:2'], expire: ['e:x'], publish: ['c']}",
            ["tag t:2"], ["tag t:1", "bump g", "publish d m1"]
        ),
    ])
    func otherActions(change: String, expected: String, missing: [String], unexpected: [String]) throws {
        let yaml = """
            version: 1
            rules:
              - name: a
                table: t
                delete: {tags: ['t:{id}']}
                expire: {keys: ['e:{a}'], in: 5s}
                bump: [g]
                publish: {channel: c}
              - {name: b, table: t, publish: {channel: d, message: 'm{id}'}}
            tests: [{name: t, table: t, update: \(change), expect: \(expected)}]
            """
        let outcome = try #require(try RuleSet.parse(yaml).runTests().first)
        #expect(outcome.missing == missing)
        #expect(outcome.unexpected == unexpected)
    }

    @Test func otherActionsOfAnyRow() throws {
        let yaml = """
            version: 1
            rules:
              - name: a
                table: t
                delete: {tags: ['t:{id}', all]}
                expire: {keys: ['e:{a}'], in: 5s}
                bump: [g, 'g:{id}']
                publish: {channel: c, message: 'm{id}'}
            tests:
              - name: t
                table: t
                truncate: true
                expect: {tags: ['t:*', all], expire: ['e:*'], bump: [g, 'g:*'], publish: ['c m*']}
            """
        let outcome = try #require(try RuleSet.parse(yaml).runTests().first)
        #expect(outcome.passed, "\(outcome)")
    }

    @Test func lookups() throws {
        let test =
            "  - {name: t, table: lines, insert: {id: 1, order_id: 2}, lookup: {line: [{n: 5}, {n: 6}]}, expect: {keys: ['o:5:1', 'o:6:1']}}"
        let rules = try RuleSet.parse(Self.rules + test)
        #expect(rules.runTests().map(\.passed) == [true])
    }

    /// Files are written by themselves, and loaded together.
    @Test func aTestIsAboutTheRulesOfItsFile() throws {
        let other = "version: 1\nrules: [{name: more, table: users, delete: {keys: ['more:{id}']}}]"
        let test =
            "  - {name: t, table: users, delete: {id: 1}, expect: {keys: ['user:1'], patterns: ['p:1*']}}"
        let files = [Self.rules + test, other].map {
            RulesFileParser.parse(SourceText(file: "r.yaml", bytes: Array($0.utf8))).file
        }
        #expect(try RuleSet(files, diagnostics: []).runTests().map(\.passed) == [true])
    }

    @Test(arguments: [
        (
            "name: t, expect: {}",
            [
                "r.yaml:6:5: error: a test needs 'table'",
                "r.yaml:6:5: error: a test needs one of insert, update, delete, truncate",
            ]
        ),
        (
            "table: users, truncate: true",
            ["r.yaml:6:5: error: a test needs 'name'", "r.yaml:6:5: error: a test needs 'expect'"]
        ),
        (
            "name: t, table: users, insert: {id: 1}, delete: {id: 1}, expect: {}",
            ["r.yaml:6:5: error: a test needs one of insert, update, delete, truncate"]
        ),
        (
            "name: t, table: user, truncate: true, expect: {}",
            ["r.yaml:6:22: error: no rule of this file is about 'public.user'; did you mean 'public.users'?"]
        ),
        (
            "name: t, table: users, truncate: false, expect: {}",
            ["r.yaml:6:39: error: 'truncate' must be true: a test is about a change"]
        ),
        (
            "name: t, table: users, insert: {}, expect: {}",
            ["r.yaml:6:37: error: the rule 'user' needs the column 'id', which this row does not give"]
        ),
        (
            "name: t, table: users, update: {old: {id: 1, name: a}, new: {id: 1}}, expect: {}",
            ["r.yaml:6:66: error: the rule 'user' needs the column 'name', which this row does not give"]
        ),
        (
            "name: t, table: users, update: {old: {id: 1, name: a}}, expect: {}",
            ["r.yaml:6:37: error: 'update' needs 'new'"]
        ),
        (
            "name: t, table: users, insert: {id: [1]}, expect: {}",
            ["r.yaml:6:42: error: 'id' must be a column's text, not a list"]
        ),
        (
            "name: t, table: users, insert: {id: 1}, where: {usr: true}, expect: {}",
            ["r.yaml:6:54: error: this file has no rule 'usr'; did you mean 'user'?"]
        ),
        (
            "name: t, table: lines, insert: {id: 1, order_id: 1}, where: {line: true}, expect: {}",
            ["r.yaml:6:67: error: the rule 'line' has no 'where'"]
        ),
        (
            "name: t, table: users, insert: {id: 1}, lookup: {user: []}, expect: {}",
            ["r.yaml:6:55: error: the rule 'user' has no 'lookup'"]
        ),
        (
            "name: t, table: users, insert: {id: 1}, where: {user: maybe}, expect: {}",
            ["r.yaml:6:60: error: 'user' must be true or false, not 'maybe'"]
        ),
        (
            "name: t, table: lines, insert: {id: 1, order_id: 1}, lookup: {line: [{m: 1}]}, expect: {}",
            ["r.yaml:6:75: error: the rule 'line' needs the column 'n', which this row does not give"]
        ),
        (
            "name: t, table: users, truncate: true, expect: {key: []}",
            ["r.yaml:6:54: error: unknown key 'key' in 'expect'; did you mean 'keys'?"]
        ),
    ])
    func mistakes(test: String, lines: [String]) {
        #expect(diagnostics(Self.rules + "  - {\(test)}") == lines)
    }
}
