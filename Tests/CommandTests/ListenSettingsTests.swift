import TestSupport
import Testing

/// The section `listen` of a settings file.
@Suite struct ListenSettingsTests {
    @Test(arguments: [
        ("listen: table_changes", "1:9: 'listen' must be a list of channels"),
        ("listen:\n  - table_changes", "2:5: a channel must be a mapping"),
        ("listen:\n  - tables: [users]", "2:5: a channel needs 'channel'"),
        ("listen:\n  - channel: ''", "2:14: 'channel' takes the name of a channel, of 1 to 63 bytes"),
        ("listen:\n  - channel: [a]", "2:14: 'channel' takes the name of a channel, of 1 to 63 bytes"),
        ("listen:\n  - channel: unstale", "2:14: channel 'unstale': names that begin with 'unstale' are our own"),
        (
            "listen:\n  - {channel: a, tabels: [users]}",
            "2:18: unknown setting 'tabels' in a channel; did you mean 'tables'?"
        ),
        ("listen:\n  - {channel: a, zebra: 1}", "2:18: unknown setting 'zebra' in a channel"),
        ("listen:\n  - {channel: a, tables: users}", "2:26: 'tables' takes a list of tables"),
        ("listen:\n  - {channel: a, tables: []}", "2:26: 'tables' takes a list of tables"),
        ("listen:\n  - {channel: a, tables: [a.b.c]}", "2:27: a table is written 'table' or 'schema.table'"),
        ("listen:\n  - {channel: a, table: relation}", "2:25: 'table' takes a path such as $.table"),
        ("listen:\n  - {channel: a, op: $..x}", "2:22: 'op' takes a path such as $.op"),
        ("listen:\n  - {channel: a, on_gap: never}", "2:26: 'on_gap' must be one of any-row, ignore"),
        ("listen:\n  - channel: a\n  - channel: a", "3:14: channel 'a' is there already"),
    ]) func mistakes(text: String, message: String) async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write(text, to: config)
            for command in ["run", "install"] {
                let outcome = try await unstale(command, "--config", config, environment: rules)
                #expect(outcome.code == 78)
                #expect(outcome.errors == ["unstale: \(config):\(message)"])
            }
        }
    }

    /// All of them at once.
    @Test func severalMistakes() async throws {
        try await withRules { folder, rules in
            let config = folder + "/unstale.yaml"
            try write("listen:\n  - {channel: a, op: x}\n  - {tables: 1}\n  - {channel: b, on_gap: x}", to: config)
            #expect(try await unstale("run", "--config", config, environment: rules).errors.count == 3)
        }
    }

    /// A table that is listened to is no fault, and what a command can't see of it is said.
    @Test func commandsKnowOfIt() async throws {
        try await Shop.with { shop in
            let config = shop.folder + "/unstale.yaml"
            try write("listen:\n  - {channel: a, tables: [users, archive, lins]}", to: config)
            let steps = try await shop.succeed("install", "--config", config)
            #expect(
                !steps.contains("on public.users") && steps.contains("create trigger unstale_update on public.lines"))
            #expect(try await shop.succeed("install", "--config", config) == "nothing to do\n")
            let check = try await shop.unstale("check", "--config", config)
            #expect(check.code == 0)
            #expect(
                check.output == "2 rules fit the database, and the capture is up to date\n"
                    + "told by notifications, at most once: public.users\n")
            #expect(
                check.errors == [
                    "unstale: 'listen' names public.archive, which no rule does",
                    "unstale: 'listen' names public.lins, which no rule does; did you mean 'public.lines'?",
                ])
            #expect(try await shop.succeed("status", "--config", config).contains("capture: up to date"))
            let explained = try await shop.unstale(
                "explain", "--sql", "DELETE FROM users WHERE id = 1", "--config", config)
            #expect(explained.output == "1 rows affected, 0 changes captured; rolled back\nno rule fires\n")
            #expect(
                explained.errors == [
                    "unstale: changes of public.users are told by notifications, which are not looked at here"
                ])
            // The settings say nothing of it any more, but the capture does.
            try write("attempts: 3", to: config)
            let later = try await shop.unstale("check", "--config", config)
            #expect(later.code == 1)
            #expect(later.errors.count == 1 && later.errors[0].contains("are captured by nothing"))
            #expect(try await shop.unstale("check").code == 0)
        }
    }
}
