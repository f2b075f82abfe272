import TestSupport
import Testing

/// Bad rules: exit code 65, and one line a mistake, all of them at once.
@Suite struct RulesTests {
    private static let head = "version: 1\nrules:\n  - name: r\n    table: users\n"

    /// One of every kind that the language knows; where in the file each is said is Rules' own to test.
    @Test(arguments: [
        ("", "1:1: error: the file is empty"),
        ("rules: [", "error: "),
        ("\u{7}", "error: "),
        (
            head + "    delete: {keys: [&a 'a:{id}']}",
            "error: the anchor '&a': anchors and aliases are not allowed"
        ),
        ("version: 1\nrules: *a\n", "2:8: error: not YAML: found undefined alias"),
        ("version: 2\nrules: []", "1:10: error: 'version' must be 1, not '2'"),
        (
            head + "    delete: {keys: ['a:{id}']}\n    colums: [id]",
            "error: unknown key 'colums' in a rule; did you mean 'columns'?"
        ),
        (head + "    delete: {keys: ['a:{id|lowr}']}", "error: unknown filter 'lowr'; did you mean 'lower'?"),
        (head + "    delete: {keys: ['a:1']}", "error: a key without a {column}"),
        (head + "    delete: {patterns: ['*']}", "error: the pattern '*' could match every key"),
        (head + "    where: a; b\n    delete: {keys: ['a:{id}']}", "error: a ';' outside of quotes"),
        (
            head + "    lookup: drop table users\n    delete: {keys: ['a:{id}']}",
            "error: a query begins with SELECT"
        ),
        (
            head + "    delete: {keys: ['a:{id}']}\n    repeat_after: [1]",
            "error: an item of 'repeat_after' must be a time"
        ),
        (
            head + "    delete: {tags: ['a:{id}']}\n    bump: ['a:{id}']",
            "error: 'a:{id}' is a counter and a tag in the same rule"
        ),
        (head + "    expire: {keys: ['a:{id}'], in: 5}", "error: 'in' must be a time"),
        (head + "    publish: {channel: 'c:{id}'}", "error: a channel can't have a {column}"),
        (
            head
                + "    delete: {keys: ['a:{id}']}\n  - name: r\n    table: users\n    delete: {keys: ['b:{id}']}",
            "error: a rule 'r' is already at"
        ),
    ]) func mistake(text: String, message: String) async throws {
        try await withRules(text) { folder, environment in
            for arguments in [
                ["check"], ["test"], ["run"], ["install"], ["explain", "--key", "a"], ["status"],
            ] {
                let program = try Program(arguments, environment: environment)
                #expect(try await program.end() == 65)
                #expect(program.output == "")
                #expect(program.lines.count == 1, "\(program.lines)")
                let line = program.lines.first ?? ""
                #expect(line.hasPrefix(folder + "/rules.yaml:") && line.contains(message), "\(line)")
                #expect(
                    line.dropFirst(folder.count).prefixMatch(of: /\/rules\.yaml:\d+:\d+: error: ./) != nil)
            }
        }
    }

    @Test func tooMuch() async throws {
        let deep = "version: 1\nrules: " + String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        let large = String(repeating: "# much\n", count: 200_000)
        for (text, message) in [(deep, "nested deeper than"), (large, "the file is larger than")] {
            try await withRules(text) { (folder, environment) async throws in
                let outcome = try await unstale("check", environment: environment)
                #expect(outcome.code == 65)
                #expect(outcome.errors.allSatisfy { $0.hasPrefix(folder + "/rules.yaml:") })
                #expect(outcome.errors.count { $0.contains(message) } == 1)
                #expect(outcome.errors.joined().count < 300)
            }
        }
    }

    @Test func allAtOnce() async throws {
        try await withFolder { folder in
            try write("version: 1\nrules: [{name: a}]\n", to: folder + "/1.yaml")
            try write(Self.head + "    delete: {keys: ['a:{id|x}', b]}\n", to: folder + "/2.yml")
            try write("not rules", to: folder + "/3.txt")
            let outcome = try await unstale("check", "--rules", folder)
            #expect(outcome.code == 65)
            #expect(
                outcome.errors.map { $0.dropFirst(folder.count + 1).prefix { $0 != " " } } == [
                    "1.yaml:2:9:", "1.yaml:2:9:", "2.yml:5:28:", "2.yml:5:33:",
                ])
        }
    }

    @Test func noFile() async throws {
        try await withFolder { folder in
            let missing = try await unstale("check", in: folder)
            #expect(missing.code == 65)
            #expect(missing.errors == ["rules:1:1: error: can't be read: No such file or directory"])
            let empty = try await unstale("check", "--rules", folder)
            #expect(empty.code == 65)
            #expect(empty.errors == ["\(folder):1:1: error: the folder has no .yaml or .yml file"])
        }
    }

    /// What only a database can tell.
    @Test(arguments: [
        (
            head.replacing("users", with: "user") + "    delete: {keys: ['a:{id}']}",
            "4:12: error: unknown table 'public.user'; did you mean 'public.users'?"
        ),
        (
            head + "    delete: {keys: ['a:{ids}']}",
            "error: unknown column 'ids' of the table 'public.users'; did you mean 'id'?"
        ),
        (
            head + "    columns: [nam]\n    delete: {keys: ['a:{id}']}",
            "5:15: error: unknown column 'nam' of the table 'public.users'; did you mean 'name'?"
        ),
        (
            head + "    where: new.id = 'x'\n    delete: {keys: ['a:{id}']}",
            "invalid input syntax for type integer"
        ),
        (head + "    where: new.nam = 'x'\n    delete: {keys: ['a:{id}']}", "nam"),
        (
            head + "    lookup: select x from orders where id = :id\n    delete: {keys: ['a:{x}']}",
            "column \"x\" does not exist"
        ),
        (
            head + "    lookup: select number from orders where id = :id\n    delete: {keys: ['a:{x}']}",
            "unknown column 'x' of the lookup's result"
        ),
    ]) func database(text: String, message: String) async throws {
        try await Shop.with { shop in
            try write(text, to: shop.rules)
            for arguments in [["check"], ["install"], ["install", "--print"]] {
                let program = try Program(arguments, environment: shop.environment)
                #expect(try await program.end() == 65)
                #expect(program.output == "")
                #expect(program.lines.count == 1, "\(program.lines)")
                #expect(program.lines.joined().hasPrefix(shop.rules + ":"))
                #expect(program.lines.joined().contains(message), "\(program.lines)")
            }
        }
    }
}
