import Testing

@testable import Rules

/// Every mistake that can be made in a rule, and the whole line that tells it.
@Suite struct DiagnosticTests {
    /// A mistake in the fields of a rule that is otherwise right.
    struct Mistake: CustomTestStringConvertible {
        var yaml: String
        var lines: [String]
        var testDescription: String { yaml }

        init(_ yaml: String, _ lines: String...) {
            self.yaml = yaml
            self.lines = lines
        }
    }

    @Test(arguments: [
        Mistake("", "r.yaml:1:1: error: the file is empty"),
        Mistake("# nothing\n", "r.yaml:1:1: error: the file is empty"),
        Mistake("rules", "r.yaml:1:1: error: a rules file must be a mapping, not 'rules'"),
        Mistake("- rules", "r.yaml:1:1: error: a rules file must be a mapping, not a list"),
        Mistake("rules: []", "r.yaml:1:1: error: a rules file needs 'version'"),
        Mistake("version: 1", "r.yaml:1:1: error: a rules file needs 'rules'"),
        Mistake("version: 2\nrules: []", "r.yaml:1:10: error: 'version' must be 1, not '2'"),
        Mistake("version: 1\nrules: {}", "r.yaml:2:8: error: 'rules' must be a list, not a mapping"),
        Mistake("version: 1\nrules:", "r.yaml:2:7: error: 'rules' must be a list, not nothing"),
        Mistake(
            "version: 1\nrule: []\nrules: []",
            "r.yaml:2:1: error: unknown key 'rule' in a rules file; did you mean 'rules'?"),
        Mistake(
            "version: 1\nrules: [x]", "r.yaml:2:9: error: an item of 'rules' must be a mapping, not 'x'"),
        Mistake(
            "version: 1\nrules: [{}]", "r.yaml:2:9: error: a rule needs 'name'",
            "r.yaml:2:9: error: a rule needs 'table'",
            "r.yaml:2:9: error: a rule needs one of delete, rewarm, expire, bump, publish"),
    ])
    func file(mistake: Mistake) {
        #expect(diagnostics(mistake.yaml) == mistake.lines)
    }

    /// The line below `- name: r`, the third of the file; a delete is added unless there is an action.
    @Test(arguments: [
        Mistake(
            "tabel: t", "r.yaml:3:5: error: a rule needs 'table'",
            "r.yaml:4:5: error: unknown key 'tabel' in a rule; did you mean 'table'?"),
        Mistake("table: [t]", "r.yaml:4:12: error: 'table' must be text, not a list"),
        Mistake("table: .t", "r.yaml:4:12: error: 'table' must be table or schema.table, not '.t'"),
        Mistake("table: t.", "r.yaml:4:12: error: 'table' must be table or schema.table, not 't.'"),
        Mistake("table: t\non: insert", "r.yaml:5:9: error: 'on' must be a list, not 'insert'"),
        Mistake("table: t\non: []", "r.yaml:5:5: error: 'on' is empty: the rule would never fire"),
        Mistake(
            "table: t\non: [updaet]",
            "r.yaml:5:10: error: 'on' must be one of insert, update, delete, not 'updaet'; did you mean 'update'?"
        ),
        Mistake("table: t\non: [insert, insert]", "r.yaml:5:18: error: 'insert' stands twice in 'on'"),
        Mistake("table: t\ncolumns: [a, a]", "r.yaml:5:18: error: 'a' stands twice in 'columns'"),
        Mistake(
            "table: t\ncolumns: [{a: b}]",
            "r.yaml:5:15: error: an item of 'columns' must be text, not a mapping; text with a brace or a colon needs quotes"
        ),
        Mistake(
            "table: t\ncolumns: [~]", "r.yaml:5:15: error: an item of 'columns' must be text, not nothing"),
        Mistake("table: t\ncolumns: ['']", "r.yaml:5:15: error: an item of 'columns' must be text, not ''"),
        Mistake(
            "table: t\non: [insert]\ncolumns: [a]",
            "r.yaml:6:5: error: 'columns' is about updates, which 'on' leaves out"),
        Mistake("table: t\nwhere:", "r.yaml:5:11: error: 'where' must be text, not nothing"),
        Mistake("table: t\nwhere: ' '", "r.yaml:5:12: error: 'where' is empty"),
        Mistake("table: t\nwhere: /* so */", "r.yaml:5:12: error: 'where' is empty"),
        Mistake("table: t\nwhere: a; b", "r.yaml:5:13: error: a ';' outside of quotes"),
        Mistake("table: t\nwhere: (a", "r.yaml:5:12: error: the '(' is never closed"),
        Mistake("table: t\nwhere: a) or (b", "r.yaml:5:13: error: the ')' closes nothing"),
        Mistake("table: t\nwhere: (a]", "r.yaml:5:14: error: the ']' closes nothing"),
        Mistake("table: t\nwhere: a = 'b", "r.yaml:5:16: error: the string is never closed"),
        Mistake("table: t\nwhere: a = $x$b", "r.yaml:5:16: error: the string is never closed"),
        Mistake("table: t\nwhere: '\"b'", "r.yaml:5:12: error: the identifier is never closed"),
        Mistake("table: t\nwhere: a /* /* */", "r.yaml:5:14: error: the comment is never closed"),
        Mistake("table: t\nwhere: a = $1", "r.yaml:5:16: error: '$1': parameters are written :column"),
        Mistake(
            "table: t\nwhere: a = :b",
            "r.yaml:5:16: error: ':b': 'where' has no parameters; write old.b or new.b"),
        Mistake(
            "table: t\nwhere: new.U&\"d\" = 1",
            "r.yaml:5:16: error: an identifier written as U&\"…\" is not supported"),
        Mistake(
            "table: t\nlookup: delete from t",
            "r.yaml:5:13: error: a query begins with SELECT, WITH, VALUES or TABLE"),
        Mistake("table: t\nlookup: select 1;", "r.yaml:5:21: error: a ';' outside of quotes"),
        Mistake(
            "table: t\nrepeat_after: [1]",
            "r.yaml:5:20: error: an item of 'repeat_after' must be a time such as 250ms, 5s, 5m, 1h or 1d, not '1'"
        ),
        Mistake(
            "table: t\nrepeat_after: [0s]",
            "r.yaml:5:20: error: an item of 'repeat_after' must be a time such as 250ms, 5s, 5m, 1h or 1d, not '0s'"
        ),
        Mistake(
            "table: t\nrepeat_after: [1m, 60s]", "r.yaml:5:24: error: '60s' stands twice in 'repeat_after'"),
        Mistake(
            "table: t\nrepeat_after: [1m, 61s]",
            "r.yaml:5:24: error: '61s' is too long: an item of 'repeat_after' is at most 60s"),
        Mistake("table: t\nfence: yes", "r.yaml:5:12: error: 'fence' must be true or false, not 'yes'"),
        Mistake(
            "table: t\nbump: ['{a}']",
            "r.yaml:5:12: error: '{a}' begins with a column: a TRUNCATE would sweep every key; begin it with text"
        ),
        Mistake("table: t\nexpire: {keys: [a]}", "r.yaml:5:13: error: 'expire' needs 'in'"),
        Mistake("table: t\nexpire: {in: 5s}", "r.yaml:5:13: error: 'expire' needs 'keys'"),
        Mistake(
            "table: t\npublish: {channel: 'c:{id}'}",
            "r.yaml:5:24: error: a channel can't have a {column}: after a TRUNCATE nobody would know whom to tell"),
        Mistake(
            "table: t\nexpire: {keys: [a], in: 0s}",
            """
            r.yaml:5:29: error: 'in' must be a time such as 250ms, 5s, 5m, 1h or 1d, not '0s'
            """),
        Mistake("table: t\npublish: {message: m}", "r.yaml:5:14: error: 'publish' needs 'channel'"),
    ])
    func rule(mistake: Mistake) {
        let actions = ["bump", "expire", "publish"]
        let isWhole = actions.contains { mistake.yaml.contains("\($0):") }
        let delete = isWhole ? "" : "    delete: {keys: ['k:{id}']}\n"
        #expect(diagnostics(header + indented(mistake.yaml) + delete) == mistake.lines)
    }

    /// What stands behind `delete: ` on the file's fifth line.
    @Test(arguments: [
        Mistake("{}", "r.yaml:5:13: error: 'delete' needs one of keys, patterns, tags"),
        Mistake("", "r.yaml:5:12: error: 'delete' must be a mapping, not nothing"),
        Mistake(
            "{key: [a]}", "r.yaml:5:13: error: 'delete' needs one of keys, patterns, tags",
            "r.yaml:5:14: error: unknown key 'key' in 'delete'; did you mean 'keys'?"),
        Mistake(
            "{keys: [a]}",
            "r.yaml:5:21: error: a key without a {column}: 'a'; a fixed key is written under patterns"),
        Mistake(
            "{keys: ['{a}']}",
            "r.yaml:5:21: error: '{a}' begins with a column: a TRUNCATE would sweep every key; begin it with text"
        ),
        Mistake("{keys: ['k:{a}', 'k:{a}']}", "r.yaml:5:30: error: 'k:{a}' stands twice in 'keys'"),
        Mistake("{keys: ['k:{a']}", "r.yaml:5:24: error: the '{' is never closed; write {{ for a brace"),
        Mistake("{keys: ['k:{a{b}']}", "r.yaml:5:24: error: the '{' is never closed; write {{ for a brace"),
        Mistake("{keys: ['k:a}']}", "r.yaml:5:25: error: a '}' without a '{'; write }} for a brace"),
        Mistake("{keys: ['k:{}']}", "r.yaml:5:24: error: no column in '{}'"),
        Mistake("{keys: ['k:{old.}']}", "r.yaml:5:24: error: no column in '{old.}'"),
        Mistake("{keys: ['k:{|lower}']}", "r.yaml:5:24: error: no column in '{|lower}'"),
        Mistake("{keys: ['k:{a|lowr}']}", "r.yaml:5:27: error: unknown filter 'lowr'; did you mean 'lower'?"),
        Mistake("{keys: ['k:{a|}']}", "r.yaml:5:27: error: unknown filter ''"),
        Mistake("{keys: ['k:{a|base64}']}", "r.yaml:5:27: error: unknown filter 'base64'"),
        Mistake("{keys: ['k:{a|lower:x}']}", "r.yaml:5:27: error: the filter 'lower' takes no argument"),
        Mistake(
            "{keys: ['k:{a|default}']}",
            "r.yaml:5:27: error: the filter 'default' needs an argument, as in default:none"),
        Mistake(
            "{keys: [\"\\x41\\u00e9'{a|lowr}\"]}",
            "r.yaml:5:36: error: unknown filter 'lowr'; did you mean 'lower'?"),
        Mistake(
            "{keys: ['k''é:{a|lowr}']}", "r.yaml:5:30: error: unknown filter 'lowr'; did you mean 'lower'?"),
        Mistake(
            "{patterns: ['*']}",
            "r.yaml:5:25: error: the pattern '*' could match every key; begin it with text that is no wildcard"
        ),
        Mistake(
            "{patterns: ['{a}:*']}",
            "r.yaml:5:25: error: the pattern '{a}:*' could match every key; begin it with text that is no wildcard"
        ),
        Mistake(
            "{patterns: ['[a]b']}",
            "r.yaml:5:25: error: the pattern '[a]b' could match every key; begin it with text that is no wildcard"
        ),
        Mistake(
            "{patterns: ['a[b']}",
            "r.yaml:5:25: error: the '[' is never closed before a column or the end; \\[ is a bracket"),
        Mistake(
            "{patterns: ['a[{b}]']}",
            "r.yaml:5:25: error: the '[' is never closed before a column or the end; \\[ is a bracket"),
        Mistake(
            "{patterns: ['a*\\']}",
            "r.yaml:5:25: error: the backslash at the end of a text needs something to escape; \\\\ is a backslash"
        ),
        Mistake(
            "{patterns: ['a\\{b}*']}",
            "r.yaml:5:25: error: the backslash at the end of a text needs something to escape; \\\\ is a backslash"
        ),
        Mistake(
            "{tags: ['{a}']}",
            "r.yaml:5:21: error: '{a}' begins with a column: a TRUNCATE would sweep every key; begin it with text"
        ),
    ])
    func delete(mistake: Mistake) {
        #expect(diagnostics(header + "    table: t\n    delete: \(mistake.yaml)\n") == mistake.lines)
    }

    /// The item of `rewarm` on the file's sixth line.
    @Test(arguments: [
        Mistake("{sql: select 1, ttl: 1s}", "r.yaml:6:9: error: a rewarm needs 'key'"),
        Mistake("{key: k, ttl: 1s}", "r.yaml:6:9: error: a rewarm needs either 'sql' or 'http'"),
        Mistake(
            "{key: k, sql: select 1, http: {url: u}, ttl: 1s}",
            "r.yaml:6:9: error: a rewarm needs either 'sql' or 'http'"),
        Mistake("{key: k, sql: select 1}", "r.yaml:6:9: error: a rewarm needs 'ttl'"),
        Mistake("{key: k, http: {}, ttl: 1s}", "r.yaml:6:24: error: 'http' needs 'url'"),
        Mistake(
            "{key: k, http: {url: '{u', headers: 1}, ttl: 1s}",
            "r.yaml:6:30: error: the '{' is never closed; write {{ for a brace",
            "r.yaml:6:45: error: 'headers' must be a mapping, not '1'"),
        Mistake(
            "{key: k, sql: select 1, touch: true}",
            "r.yaml:6:33: error: 'touch' needs 'http': only the application can store the entry itself"),
        Mistake(
            "{key: k, sql: select 1, ttl: 1s, jitter: 101%}",
            "r.yaml:6:50: error: 'jitter' must be a percentage such as 10%, not '101%'"),
        Mistake(
            "{key: k, sql: select 1, ttl: 1s, max_bytes: 1XB}",
            "r.yaml:6:53: error: 'max_bytes' must be a size such as 512KiB or 1MB, not '1XB'"),
        Mistake(
            "{key: k, sql: select 1, ttl: 1s, max_bytes: 513MiB}",
            "r.yaml:6:53: error: 'max_bytes' must be at most 512MiB: no value in Redis is longer"),
        Mistake(
            "{key: k, sql: select 1, ttl: 1s, when: exist}",
            "r.yaml:6:48: error: 'when' must be one of always, exists, hot, not 'exist'; did you mean 'exists'?"
        ),
        Mistake(
            "{key: k, sql: select 1, ttl: 1s, deadline: 2}",
            "r.yaml:6:52: error: 'deadline' must be a time such as 250ms, 5s, 5m, 1h or 1d, not '2'"),
        Mistake(
            "{key: '{k}', sql: select 1, ttl: 1s}",
            "r.yaml:6:15: error: '{k}' begins with a column: a TRUNCATE would sweep every key; begin it with text"
        ),
    ])
    func rewarm(mistake: Mistake) {
        #expect(diagnostics(header + "    table: t\n    rewarm:\n      - \(mistake.yaml)\n") == mistake.lines)
    }

    @Test func imagesThatNoChangeHas() {
        let old = header + "    table: t\n    on: [insert]\n    delete: {keys: ['k:{old.a}']}\n"
        #expect(
            diagnostics(old) == [
                "r.yaml:6:25: error: 'old.a': an insert has no old row, and 'on' has nothing else"
            ])
        let new =
            header
            + "    table: t\n    on: [delete]\n    lookup: select :new.a as b\n    delete: {keys: ['k:{b}']}\n"
        #expect(
            diagnostics(new) == [
                "r.yaml:6:20: error: 'new.a': a delete has no new row, and 'on' has nothing else"
            ])
    }

    @Test func aRuleOfTheSameName() {
        let rule = "  - {name: a, table: t, delete: {keys: ['k:{id}']}}\n"
        #expect(
            diagnostics("version: 1\nrules:\n" + rule + rule) == [
                "r.yaml:4:12: error: a rule 'a' is already at r.yaml:3:12"
            ])
    }

    @Test func moreConditionsThanBits() {
        func rules(_ count: Int) -> String {
            let rules = (0..<count).map {
                "  - {name: r\($0), table: t, where: new.a = \($0), delete: {keys: ['k:{id}']}}\n"
            }
            return "version: 1\nrules:\n" + rules.joined()
        }
        #expect(diagnostics(rules(63)) == [])
        #expect(
            diagnostics(rules(65)) == [
                "r.yaml:66:5: error: more than 63 different conditions on one table (on, columns, where): 'public.t'"
            ])
    }

    @Test func allAtOnce() {
        let yaml = """
            version: 1
            rules:
              - nam: a
                table: t
                delete: {keys: [k]}
              - name: b
                tabel: t
                delete: {patterns: ['*']}
            """
        #expect(
            diagnostics(yaml) == [
                "r.yaml:3:5: error: unknown key 'nam' in a rule; did you mean 'name'?",
                "r.yaml:3:5: error: a rule needs 'name'",
                "r.yaml:5:21: error: a key without a {column}: 'k'; a fixed key is written under patterns",
                "r.yaml:6:5: error: a rule needs 'table'",
                "r.yaml:7:5: error: unknown key 'tabel' in a rule; did you mean 'table'?",
                "r.yaml:8:25: error: the pattern '*' could match every key; begin it with text that is no wildcard",
            ])
    }

    /// Whatever a file contains, a diagnostic stays one line and does not move a terminal's cursor.
    @Test func controlCharactersAreShown() {
        let yaml = header + "    table: t\n    delete: {keys: [\"a\\t\\e[2J\\u0085\"]}\n"
        #expect(
            diagnostics(yaml) == [
                "r.yaml:5:21: error: a key without a {column}: 'a\\t\\u{1B}[2J\\u{0085}'; "
                    + "a fixed key is written under patterns"
            ])
    }

    /// As a block scalar has at its end: the pattern would match no key.
    @Test(arguments: [
        "delete: {patterns: [\"p:{id}:*\\n\"]}", "delete: {keys: [\"k:{id}\\r\"]}", "delete: {tags: [\"t\\n:{id}\"]}",
        "bump: [\"g\\n\"]", "publish: {channel: \"c\\n\"}", "rewarm: [{key: \"k:{id}\\n\", sql: select 1, ttl: 1m}]",
    ])
    func lineBreaksInNames(action: String) {
        let lines = diagnostics(header + "    table: t\n    \(action)\n")
        #expect(lines.count == 1 && lines[0].contains("a line break in a name; write it in quotes"), "\(lines)")
    }

    @Test func aRuleMayHaveAllActions() throws {
        let yaml = """
            version: 1
            rules:
              - name: catalogue
                table: items
                delete: {keys: ["item:{id}"], tags: ["items"]}
                rewarm:
                  - key: "resp:/catalog?"
                    http: {url: "http://127.0.0.1/{id}", headers: {X-Bypass: "1"}}
                    ttl: 5m
                    jitter: 10%
                    when: exists
                    max_bytes: 512KiB
                    deadline: 2s
                expire: {keys: ["a:{id}", "b"], in: 30s}
                bump: ["generation:items"]
                publish: {channel: items, message: "{id}"}
                fence: true
            """
        let rules = try RuleSet.parse(yaml, file: "r.yaml")
        let rewarm = try #require(rules.rules[0].rewarm.first)
        #expect(rewarm.ttl == .seconds(300))
        #expect(rewarm.jitter == 10)
        #expect(rewarm.when == .exists)
        #expect(rewarm.maxBytes == 524_288)
        #expect(rewarm.deadline == .seconds(2))
        #expect(rules.rules[0].expire?.after == .seconds(30))
        #expect(rules.rules[0].delete.tags.map(\.source) == ["items"])
        #expect(rules.rules[0].bump.map(\.source) == ["generation:items"])
        #expect(rules.rules[0].publish?.channelName == Array("items".utf8))
        #expect(rules.rules[0].imageColumns == ["id"])
    }

    @Test func aKeyIsOneThing() {
        let yaml =
            header
            + indented(
                """
                table: t
                delete: {keys: ['a:{id}', 'b:{id}'], tags: ['a:{id}', 't:{id}']}
                expire: {keys: ['b:{id}', 'c:{id}'], in: 5s}
                bump: ['t:{id}', 'c:{id}', 'd']
                """)
        #expect(
            diagnostics(yaml) == [
                "r.yaml:5:49: error: 'a:{id}' is a tag and an entry that is deleted or loaded anew in the same rule",
                "r.yaml:6:21: error: 'b:{id}' is an entry that expires and an entry that is deleted or loaded anew in the same rule",
                "r.yaml:7:12: error: 't:{id}' is a counter and a tag in the same rule",
                "r.yaml:7:22: error: 'c:{id}' is a counter and an entry that expires in the same rule",
            ])
    }

    private let header = "version: 1\nrules:\n  - name: r\n"

    private func indented(_ yaml: String) -> String {
        yaml.split(separator: "\n").map { "    \($0)\n" }.joined()
    }
}
