import TestSupport
import Testing

@testable import Capture

/// What names may hold: spaces, quotes, dots, case, letters of all kinds, the functions' own words.
@Suite struct NameTests {
    private struct Names {
        var schema: String
        var table: String
        var column: String

        var description: String { "\(schema).\(table)" }
        var sql: String { "\(quoted(schema)).\(quoted(table))" }
        var sqlColumn: String { quoted(column) }

        var definition: String {
            "CREATE SCHEMA IF NOT EXISTS \(quoted(schema)); CREATE TABLE \(sql) (id int PRIMARY KEY, \(sqlColumn) text);"
        }

        func rule(_ number: Int) -> String {
            """
            - name: r\(number)
              table: \(yaml(description))
              columns: [\(yaml(column))]
              where: \(yaml("coalesce(new.\(sqlColumn), '') <> 'never'"))
              delete: {keys: [\(yaml("k:{id}:{\(column)}"))]}
            """
        }

        /// Images have their columns in the order of their names.
        func row(_ value: String) -> String { column < "id" ? "\(value), 1" : "1, \(value)" }

        private func quoted(_ name: String) -> String {
            "\"" + name.replacing("\"", with: "\"\"") + "\""
        }

        private func yaml(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
    }

    private static let all = [
        Names(schema: "app", table: "Account", column: "eMail"),
        Names(schema: "My Schema", table: "Line Items", column: "First Name"),
        Names(schema: "we\"ird", table: "ta\"ble", column: "col\"umn"),
        Names(schema: "o'clock", table: "t'able", column: "c'olumn"),
        Names(schema: "back\\slash", table: "ta\\ble", column: "co\\lumn"),
        Names(schema: "dollar$unstale$", table: "$unstale$", column: "$1"),
        Names(schema: "日本", table: "表", column: "naïve\u{301}"),
        Names(schema: "select", table: "table", column: "order"),
        Names(schema: "%s", table: "%I", column: ":name"),
        Names(
            schema: "app", table: String(repeating: "t", count: 63), column: String(repeating: "c", count: 63)
        ),
        Names(schema: "app", table: "a.b", column: "c.d"),
        // What the trigger functions call something of their own.
        Names(schema: "app", table: "old", column: "new"),
        Names(schema: "app", table: "new_rows", column: "old_rows"),
        Names(schema: "app", table: "chunks", column: "fired"),
        Names(schema: "app", table: "captures", column: "failure"),
        Names(schema: "app", table: "outbox", column: "old_image"),
    ]

    @Test func everyName() async throws {
        let tables = Self.all.map(\.definition).joined()
        let rules = Self.all.enumerated().map { $1.rule($0) }.joined(separator: "\n")
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            for names in Self.all {
                let table = names.sql, column = names.sqlColumn
                try await captured.expect(
                    "INSERT INTO \(table) VALUES (1, 'a')", ["insert \(names.description) \(names.row("a"))"])
                try await captured.expect(
                    "UPDATE \(table) SET \(column) = 'b'",
                    ["update \(names.description) \(names.row("a")) -> \(names.row("b"))"])
                try await captured.expect(
                    "INSERT INTO \(table) VALUES (2); UPDATE \(table) SET \(column) = 'never'",
                    ["insert \(names.description) \(names.row("null").replacing("1", with: "2"))"])
                try await captured.expect("TRUNCATE \(table)", ["any \(names.description)"])
            }
            #expect(try await captured.problems() == [])
            #expect(try await captured.install() == [])
            #expect(try await captured.failures() == [])
        }
    }
}
