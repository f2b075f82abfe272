import TestSupport
import Testing

/// The section `listen` of a settings file.
@Suite struct ListenSettingsTests {
    @Test(arguments: [
        ("listen: table_changes", "1:9: 'listen' takes a list of channels"),
        ("listen:\n  - table_changes", "2:5: a channel is a mapping with 'channel'"),
        ("listen:\n  - tables: [users]", "2:5: a channel needs 'channel'"),
        ("listen:\n  - channel: ''", "2:14: 'channel' takes the name of a channel, of 1 to 63 bytes"),
        ("listen:\n  - channel: [a]", "2:14: 'channel' takes the name of a channel, of 1 to 63 bytes"),
        ("listen:\n  - channel: unstale", "2:14: channel 'unstale': names that begin with 'unstale' are our own"),
        ("listen:\n  - {channel: a, tabels: [users]}", "2:18: unknown field 'tabels'; did you mean 'tables'?"),
        ("listen:\n  - {channel: a, zebra: 1}", "2:18: unknown field 'zebra'"),
        ("listen:\n  - {channel: a, tables: users}", "2:26: 'tables' takes a list of tables"),
        ("listen:\n  - {channel: a, tables: []}", "2:26: 'tables' takes a list of tables"),
        ("listen:\n  - {channel: a, tables: [a.b.c]}", "2:27: a table is written 'table' or 'schema.table'"),
        ("listen:\n  - {channel: a, table: relation}", "2:25: 'table' takes a path such as $.table"),
        ("listen:\n  - {channel: a, op: $..x}", "2:22: 'op' takes a path such as $.op"),
        ("listen:\n  - {channel: a, on_gap: never}", "2:26: 'on_gap' is none of any-row, ignore"),
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
}
