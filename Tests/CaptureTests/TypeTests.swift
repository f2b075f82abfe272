import TestSupport
import Testing

@testable import Capture

/// Values of every kind of type: what is captured is the server's own text, whatever the writer's session does.
@Suite struct TypeTests {
    struct Sample: CustomTestStringConvertible, Sendable {
        var type: String
        /// SQL of two different values.
        var values: (String, String)
        /// The texts of both.
        var texts: (String, String)
        /// SQL that makes the type.
        var definition = ""

        var testDescription: String { type }
    }

    static let samples = [
        Sample(type: "text", values: ("''", "E'a\\'\"\\\\{},\\n é日'"), texts: ("", "a'\"\\{},\n é日")),
        Sample(type: "varchar(10)", values: ("'a '", "'NULL'"), texts: ("a ", "NULL")),
        Sample(type: "char(3)", values: ("'a'", "'abc'"), texts: ("a  ", "abc")),
        Sample(type: "\"char\"", values: ("'a'", "'b'"), texts: ("a", "b")),
        Sample(type: "bool", values: ("true", "false"), texts: ("t", "f")),
        Sample(type: "int2", values: ("-1", "2"), texts: ("-1", "2")),
        Sample(
            type: "int8", values: ("-9223372036854775808", "0"), texts: ("-9223372036854775808", "0")),
        Sample(type: "numeric", values: ("1.0", "1.00"), texts: ("1.0", "1.00")),
        Sample(type: "numeric(6,2)", values: ("'NaN'", "1"), texts: ("NaN", "1.00")),
        Sample(
            type: "float8", values: ("0.1::float8 + 0.2", "'-Infinity'"),
            texts: ("0.30000000000000004", "-Infinity")),
        Sample(type: "float4", values: ("0.1", "'-0'"), texts: ("0.1", "-0")),
        Sample(type: "money", values: ("1234.5::money", "(-1)::money"), texts: ("$1,234.50", "-$1.00")),
        Sample(type: "bytea", values: ("'\\x00ff5c'", "''"), texts: ("\\x00ff5c", "\\x")),
        Sample(
            type: "uuid",
            values: ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'00000000-0000-0000-0000-000000000000'"),
            texts: ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000")),
        Sample(type: "date", values: ("DATE '2026-02-01'", "'infinity'"), texts: ("2026-02-01", "infinity")),
        Sample(
            type: "timestamp", values: ("TIMESTAMP '2026-02-01 03:04:05.5'", "TIMESTAMP '1-1-1 BC'"),
            texts: ("2026-02-01 03:04:05.5", "0001-01-01 00:00:00 BC")),
        Sample(
            type: "timestamptz", values: ("'2026-02-01T03:04:05+02'", "'infinity'"),
            texts: ("2026-02-01 01:04:05+00", "infinity")),
        Sample(
            type: "timetz", values: ("'03:04:05+02'", "'00:00+00'"), texts: ("03:04:05+02", "00:00:00+00")),
        Sample(
            type: "interval", values: ("'1 year -2 days 3 hours'", "'0'"),
            texts: ("1 year -2 days +03:00:00", "00:00:00")),
        Sample(type: "inet", values: ("'10.0.0.1'", "'10.0.0.0/8'"), texts: ("10.0.0.1", "10.0.0.0/8")),
        Sample(
            type: "jsonb", values: ("'{\"b\":1, \"a\": null}'", "'1'"),
            texts: ("{\"a\": null, \"b\": 1}", "1")),
        // json has no equality: its bytes tell.
        Sample(type: "json", values: ("'{\"b\": 1}'", "'{\"b\":1}'"), texts: ("{\"b\": 1}", "{\"b\":1}")),
        Sample(type: "xml", values: ("'<a/>'", "'<a></a>'"), texts: ("<a/>", "<a></a>")),
        Sample(type: "point", values: ("'(0.1,2)'", "'(0,0)'"), texts: ("(0.1,2)", "(0,0)")),
        Sample(type: "int4range", values: ("'[1,5]'", "'empty'"), texts: ("[1,6)", "empty")),
        Sample(
            type: "tstzrange", values: ("'[2026-02-01 00:00+02,)'", "'(,)'"),
            texts: ("[\"2026-01-31 22:00:00+00\",)", "(,)")),
        Sample(
            type: "datemultirange", values: ("'{[2026-01-01,2026-02-01)}'", "'{}'"),
            texts: ("{[2026-01-01,2026-02-01)}", "{}")),
        Sample(type: "bit(3)", values: ("B'101'", "B'000'"), texts: ("101", "000")),
        Sample(type: "tsvector", values: ("'b a'", "''"), texts: ("'a' 'b'", "")),
        Sample(
            type: "regclass", values: ("'home'", "'pg_catalog.pg_class'"), texts: ("public.home", "pg_class"),
            definition: "CREATE TABLE home (id int)"),
        Sample(
            type: "text[]", values: ("ARRAY['a,\"', NULL, 'NULL']", "'{}'"),
            texts: ("{\"a,\\\"\",NULL,\"NULL\"}", "{}")),
        Sample(
            type: "timestamptz[]", values: ("ARRAY['2026-02-01 00:00+01'::timestamptz]", "'{}'"),
            texts: ("{\"2026-01-31 23:00:00+00\"}", "{}")),
        Sample(type: "bool[]", values: ("'{t}'", "'{f}'"), texts: ("{t}", "{f}")),
        Sample(
            type: "mood", values: ("'low'", "'so so'"), texts: ("low", "so so"),
            definition: "CREATE TYPE mood AS ENUM ('low', 'so so')"),
        Sample(
            type: "mood[]", values: ("'{low}'", "'{}'"), texts: ("{low}", "{}"),
            definition: "CREATE TYPE mood AS ENUM ('low', 'so so')"),
        Sample(
            type: "posint", values: ("1", "2"), texts: ("1", "2"),
            definition: "CREATE DOMAIN posint AS int CHECK (VALUE > 0)"),
        Sample(
            type: "moment", values: ("'2026-02-01 00:00+01'", "'infinity'"),
            texts: ("2026-01-31 23:00:00+00", "infinity"), definition: "CREATE DOMAIN moment AS timestamptz"),
        Sample(
            type: "flag", values: ("true", "false"), texts: ("t", "f"),
            definition: "CREATE DOMAIN flag AS bool"),
        Sample(
            type: "pair", values: ("ROW(1, '2026-02-01')", "ROW(NULL, NULL)"),
            texts: ("(1,2026-02-01)", "(,)"),
            definition: "CREATE TYPE pair AS (a int, \"B c\" date)"),
        Sample(
            type: "span", values: ("'[0.1,0.5)'", "'empty'"), texts: ("[0.1,0.5)", "empty"),
            definition: "CREATE TYPE span AS RANGE (subtype = float8)"),
        Sample(
            type: "citext", values: ("'Ann'", "'ANN'"), texts: ("Ann", "ANN"),
            definition: "CREATE EXTENSION citext"),
        Sample(
            type: "citext[]", values: ("'{Ann}'", "'{ANN}'"), texts: ("{Ann}", "{ANN}"),
            definition: "CREATE EXTENSION citext"),
        Sample(
            type: "hstore", values: ("'a=>1'", "''"), texts: ("\"a\"=>\"1\"", ""),
            definition: "CREATE EXTENSION hstore"),
    ]

    /// A session that writes everything otherwise.
    static let foreignSession = """
        SET DateStyle = 'German, DMY'; SET TimeZone = 'America/New_York'; SET IntervalStyle = 'iso_8601';
        SET search_path = public, pg_catalog; SET bytea_output = 'escape'; SET extra_float_digits = -15; SET lc_monetary = 'C'; SET xmloption = document;
        """

    /// All in one database, a table a type.
    @Test func everyType() async throws {
        try await withTables(Self.samples, columns: { "id int PRIMARY KEY, value \($0.type)" }) {
            (captured) async throws in
            for (number, sample) in Self.samples.enumerated() {
                let changes = Changes(captured, table: "t\(number)", sample)
                let (first, second) = sample.values, (a, b) = sample.texts
                // One row each: the short path.
                try await changes.expect("INSERT INTO @ VALUES (1, \(first))", ["insert @ 1, \(a)"])
                try await changes.expect("UPDATE @ SET value = \(second)", ["update @ 1, \(a) -> 1, \(b)"])
                try await changes.expect("UPDATE @ SET value = value", [])
                // Many rows.
                try await changes.expect(
                    "INSERT INTO @ VALUES (2, \(first)), (3, NULL)", ["insert @ 2, \(a)", "insert @ 3, null"])
                try await changes.expect(
                    "UPDATE @ SET value = (SELECT value FROM @ WHERE id = 1) WHERE id < 3",
                    ["update @ 2, \(a) -> 2, \(b)"])
                try await changes.expect(
                    "UPDATE @ SET value = NULL WHERE id > 1", ["update @ 2, \(b) -> 2, null"])
                try await changes.expect(
                    "DELETE FROM @", ["delete @ 1, \(b)", "delete @ 2, null", "delete @ 3, null"])
            }
        }
    }

    /// As keys the values find their other image again.
    @Test func everyTypeAsKey() async throws {
        // These have no order, or are equal.
        let samples = Self.samples.filter {
            !["json", "xml", "point", "numeric", "citext", "citext[]"].contains($0.type)
        }
        try await withTables(samples, columns: { "id \($0.type) PRIMARY KEY, value int" }) {
            (captured) async throws in
            for (number, sample) in samples.enumerated() {
                let changes = Changes(captured, table: "t\(number)", sample)
                let (first, second) = sample.values, (a, b) = sample.texts
                try await changes.expect(
                    "INSERT INTO @ VALUES (\(first), 1), (\(second), 2)",
                    ["insert @ \(a), 1", "insert @ \(b), 2"])
                try await changes.expect(
                    "UPDATE @ SET value = value + 1",
                    ["update @ \(a), 1 -> \(a), 2", "update @ \(b), 2 -> \(b), 3"])
            }
        }
    }

    private func withTables(
        _ samples: [Sample], columns: (Sample) -> String, _ body: (Captured) async throws -> Void
    ) async throws {
        let definitions = Set(samples.map(\.definition)).sorted().joined(separator: ";")
        let tables = samples.enumerated().map { "CREATE TABLE t\($0) (\(columns($1)));" }.joined()
        let rules = samples.indices.map {
            "- {name: r\($0), table: t\($0), columns: [value], delete: {keys: ['k:{id}:{value}']}}"
        }
        try await Captured.with(definitions + ";" + tables, rules: rules.joined(separator: "\n")) {
            (captured) async throws in
            try await captured.owner.run(Self.foreignSession)
            try await body(captured)
        }
    }

    /// What changes of one sample's table, which is written `@`.
    private struct Changes {
        let captured: Captured
        let table: String
        let sample: Sample

        init(_ captured: Captured, table: String, _ sample: Sample) {
            self.captured = captured
            self.table = table
            self.sample = sample
        }

        func expect(_ sql: String, _ expected: [String]) async throws {
            let changes = try await captured.changes(of: sql.replacing("@", with: table))
            let wanted = expected.map { $0.replacing("@", with: table) }.sorted()
            #expect(changes == wanted, "\(sample.type): \(sql)")
        }
    }

    /// Equal in the key's eyes, and read differently: one row that changed.
    @Test(arguments: [("numeric", "1.0", "1.00"), ("citext", "Ann", "ANN"), ("float8", "0", "-0")])
    func equalKeysWithOtherTexts(type: String, before: String, after: String) async throws {
        let tables = "CREATE EXTENSION citext; CREATE TABLE items (id \(type) PRIMARY KEY)"
        let rules = "- {name: r, table: items, columns: [id], delete: {keys: ['k:{id}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            _ = try await captured.changes(of: "INSERT INTO items VALUES ('\(before)'), ('5')")
            let many = try await captured.changes(
                of: "UPDATE items SET id = CASE id WHEN '5' THEN id ELSE '\(after)'::\(type) END")
            #expect(
                many == ["update items \(before) -> \(after)"]
                    || many.contains("delete items \(before)") && many.contains("insert items \(after)"),
                "\(many)")
            let one = try await captured.changes(of: "UPDATE items SET id = '\(before)' WHERE id <> '5'")
            #expect(one == ["update items \(after) -> \(before)"])
        }
    }
}
