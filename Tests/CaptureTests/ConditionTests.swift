import Rules
import TestSupport
import Testing

@testable import Capture

/// Which rules a change concerns: `on`, `columns` and `where`.
@Suite struct ConditionTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text, status text, price numeric, seen int DEFAULT 0)
        """

    /// Runs SQL on the tables, and expects which rules fire for each change.
    private func expect(
        _ rules: String, after: String, _ statements: [(sql: String, firings: [String])],
        tables: String = Self.tables
    ) async throws {
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            _ = try await captured.changes(of: after)
            for (sql, expected) in statements {
                let firings = try await captured.firings(of: sql)
                #expect(firings == expected, "\(sql)")
            }
            let failures = try await captured.failures()
            #expect(failures == [])
        }
    }

    @Test func operations() async throws {
        try await expect(
            """
            - {name: all, table: items, delete: {keys: ['a:{id}']}}
            - {name: births, table: items, on: [insert], delete: {keys: ['b:{id}']}}
            - {name: ends, table: items, on: [delete], delete: {keys: ['e:{id}']}}
            - {name: moves, table: items, on: [update, insert], delete: {keys: ['m:{id}']}}
            """, after: "",
            [
                ("INSERT INTO items VALUES (1)", ["insert: all, births, moves"]),
                ("UPDATE items SET seen = 1", ["update: all, moves"]),
                ("DELETE FROM items", ["delete: all, ends"]),
                ("TRUNCATE items", ["anyRow: all, births, ends, moves"]),
            ])
    }

    /// An operation that no rule asks for has no trigger at all.
    @Test func onlyTheNeededTriggers() async throws {
        let rules = "- {name: r, table: items, on: [delete], delete: {keys: ['k:{id}']}}"
        try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
            let triggers = try await captured.owner.lines(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = 'items'::regclass ORDER BY 1")
            #expect(triggers == ["unstale_delete", "unstale_truncate"])
            try await captured.expect("INSERT INTO items VALUES (1); UPDATE items SET seen = 1", [])
            try await captured.expect("DELETE FROM items", ["delete items 1"])
        }
    }

    /// Besides its `columns` a rule watches those that its keys use: a row that moves makes both keys stale.
    @Test func columns() async throws {
        try await expect(
            """
            - {name: name, table: items, columns: [name], delete: {keys: ['a:{id}']}}
            - {name: price, table: items, columns: [price], delete: {keys: ['b:{status}']}}
            - {name: seen, table: items, columns: [seen, name], delete: {keys: ['c:{id}']}}
            """, after: "INSERT INTO items VALUES (1, 'a', 'new', 1.0), (2, 'b', 'new', NULL)",
            [
                ("UPDATE items SET name = 'c' WHERE id = 1", ["update: name, seen"]),
                ("UPDATE items SET seen = 1", ["update: seen", "update: seen"]),
                ("UPDATE items SET price = 1.00 WHERE id = 1", ["update: price"]),
                ("UPDATE items SET price = 1.00", ["update: price"]),
                ("UPDATE items SET price = NULL", ["update: price", "update: price"]),
                ("UPDATE items SET status = 'old' WHERE id = 1", ["update: price"]),
                ("UPDATE items SET name = name, price = price, seen = seen", []),
                ("UPDATE items SET id = 3 WHERE id = 1", ["update: name, seen"]),
            ])
    }

    @Test func predicates() async throws {
        try await expect(
            """
            - {name: active, table: items, where: new.status = 'active', delete: {keys: ['a:{id}']}}
            - {name: was, table: items, where: old.status = 'active', delete: {keys: ['w:{id}']}}
            - {name: turned, table: items, where: old.status is distinct from new.status, delete: {keys: ['t:{id}']}}
            - {name: dear, table: items, where: 'coalesce(new.price, old.price) > 100', delete: {keys: ['d:{id}']}}
            """, after: "",
            [
                // What asks about an image that an insert or a delete doesn't have counts as fulfilled.
                ("INSERT INTO items VALUES (1, 'a', 'active', 500)", ["insert: active, was, turned, dear"]),
                ("INSERT INTO items VALUES (2, 'b', NULL, 5)", ["insert: was, turned, dear"]),
                ("UPDATE items SET status = 'active' WHERE id = 2", ["update: active, turned"]),
                ("UPDATE items SET name = 'c'", ["update: active, was", "update: active, was, dear"]),
                ("UPDATE items SET status = NULL WHERE id = 1", ["update: was, turned, dear"]),
                // With both images unknown is no, as in any WHERE.
                ("UPDATE items SET name = 'd' WHERE id = 1", ["update: dear"]),
                (
                    "UPDATE items SET status = 'x', price = NULL",
                    ["update: turned, dear", "update: was, turned"]
                ),
                ("UPDATE items SET name = 'e'", []),
                ("DELETE FROM items WHERE id = 1", ["delete: active, turned, dear"]),
                ("DELETE FROM items", ["delete: active, turned, dear"]),
            ])
    }

    /// Whatever a condition makes of nulls, it can't keep the entry of a row that is gone.
    @Test func predicatesThatKnowNulls() async throws {
        let rules = """
            - {name: public, table: items, where: new.name is not null, delete: {keys: ['p:{id}']}}
            - {name: moved, table: items, where: old.status is distinct from new.status, delete: {keys: ['m:{id}']}}
            """
        try await expect(
            rules, after: "INSERT INTO items SELECT n, 'a' FROM generate_series(1, 9) AS n",
            [
                ("INSERT INTO items VALUES (10)", ["insert: moved"]),
                ("DELETE FROM items WHERE id = 1", ["delete: public, moved"]),
                ("DELETE FROM items WHERE id < 4", ["delete: public, moved", "delete: public, moved"]),
                ("UPDATE items SET id = 14 WHERE id = 4", ["update: public"]),
                (
                    "UPDATE items SET id = id + 10, name = nullif(id, 6)::text WHERE id IN (5, 6)",
                    ["delete: public, moved", "delete: public, moved", "insert: moved", "insert: public, moved"]
                ),
            ])
        try await expect(
            rules, after: "INSERT INTO items VALUES (1, 'a'), (2, 'b')",
            [
                (
                    "UPDATE items SET name = NULL",
                    ["delete: public, moved", "delete: public, moved", "insert: moved", "insert: moved"]
                )
            ], tables: "CREATE TABLE items (id int, name text, status text)")
    }

    /// Without a primary key many rows can't be paired: either image is missing, and what asks about it is fulfilled.
    @Test func predicatesOnUnpairedRows() async throws {
        try await expect(
            "- {name: turned, table: items, columns: [status], where: old.status <> new.status, delete: {keys: ['t:{id}']}}",
            after: "INSERT INTO items VALUES (1, 'a'), (2, 'b')",
            [
                ("UPDATE items SET status = 'c' WHERE id = 1", ["update: turned"]),
                ("UPDATE items SET seen = 1 WHERE id = 1", []),
                (
                    "UPDATE items SET status = 'd'",
                    ["delete: turned", "delete: turned", "insert: turned", "insert: turned"]
                ),
            ], tables: "CREATE TABLE items (id int, status text, seen int)")
    }

    @Test func wholeRowsAndSubqueries() async throws {
        try await expect(
            """
            - {name: row, table: items, where: "to_jsonb(new) ->> 'status' = 'active'", delete: {keys: ['r:{id}']}}
            - {name: sub, table: items, where: "exists (select from public.vips v where v.id = new.id)", delete: {keys: ['s:{id}']}}
            - {name: comment, table: items, where: "new.id > 0 -- old\\n/* ' */ and true", delete: {keys: ['c:{id}']}}
            """, after: "INSERT INTO vips VALUES (2)",
            [
                ("INSERT INTO items VALUES (1, 'a', 'active')", ["insert: row, comment"]),
                (
                    "INSERT INTO items VALUES (2, 'b', 'x'), (3, 'c', 'active')",
                    ["insert: row, comment", "insert: sub, comment"]
                ),
                ("UPDATE items SET seen = 1 WHERE id < 3", ["update: row, comment", "update: sub, comment"]),
                (
                    "DELETE FROM items",
                    [String](repeating: "delete: row, sub, comment", count: 3)
                ),
            ], tables: Self.tables + "; CREATE TABLE vips (id int)")
    }

    /// All 63 bits.
    @Test func manyConditions() async throws {
        let rules = (0..<Manifest.maximumConditions).map {
            "- {name: r\($0), table: items, where: new.id & (1::bigint << \($0)) <> 0, delete: {keys: ['k\($0):{id}']}}"
        }
        let tables = "CREATE TABLE items (id bigint PRIMARY KEY)"
        try await Captured.with(tables, rules: rules.joined(separator: "\n")) { (captured) async throws in
            let all = (0..<Manifest.maximumConditions).map { "r\($0)" }.joined(separator: ", ")
            let one = try await captured.firings(of: "INSERT INTO items VALUES (9223372036854775807)")
            #expect(one == ["insert: \(all)"])
            let many = try await captured.firings(
                of: "INSERT INTO items SELECT 1::bigint << i FROM generate_series(0, 62) i")
            #expect(many == (0..<Manifest.maximumConditions).map { "insert: r\($0)" }.sorted())
        }
    }
}
