import Postgres
import TestSupport
import Testing

/// The text that goes into SQL, held against the server's own rules.
@Suite struct SQLTextTests {
    private static let alphabet = Array("aZ09 _.\"'\\$;-/*:%{}é日\u{1F600}\u{301}\n\t")

    private func randomText(_ random: inout SeededGenerator) -> String {
        String(
            (0..<Int.random(in: 1...12, using: &random)).map { _ in
                Self.alphabet.randomElement(using: &random) ?? "a"
            })
    }

    @Test(arguments: ["on", "off"]) func literals(standardStrings: String) async throws {
        let connection = try await PostgresConnection.toSharedServer()
        try await connection.script(
            "SET standard_conforming_strings = \(standardStrings); SET escape_string_warning = off",
            doing: "test")
        var random = SeededGenerator()
        for _ in 1...20 {
            let texts = (1...100).map { _ in randomText(&random) } + ["", "\\", "'", "\\'"]
            let list = texts.map { "\(SQL.literal($0))::text" }.joined(separator: ", ")
            let row = try #require(try await connection.query("SELECT \(list)", doing: "test").first)
            for (index, text) in texts.enumerated() {
                #expect(row.bytes(index).map { Array($0) } == Array(text.utf8), "\(text.debugDescription)")
            }
        }
    }

    @Test func identifiers() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        var random = SeededGenerator()
        for _ in 1...20 {
            let names = (1...100).map { _ in randomText(&random) } + ["select", "UPPER", "\""]
            let list = names.map { "1 AS \(SQL.identifier($0))" }.joined(separator: ", ")
            let rows = try await connection.query("SELECT \(list)", doing: "test")
            #expect(rows.columns.map { Array($0.utf8) } == names.map { Array($0.utf8) })
            // quote_ident leaves quotes out where it can; where it can't, it writes the same.
            for name in names {
                let quoted = try #require(try await connection.value("SELECT quote_ident($1)", [.text(name)]))
                #expect(quoted == SQL.identifier(name) || quoted == name)
            }
        }
        #expect(SQL.identifier("a.b", "c\"d") == "\"a.b\".\"c\"\"d\"")
    }
}
