import TestSupport
import Testing

@testable import Capture

/// Tables of every shape.
@Suite struct ShapeTests {
    @Test func withoutPrimaryKey() async throws {
        let rules = "- {name: r, table: items, columns: [name], delete: {keys: ['k:{name}']}}"
        try await Captured.with("CREATE TABLE items (name text, n int)", rules: rules) {
            (captured) async throws in
            try await captured.expect(
                "INSERT INTO items VALUES ('a', 1), ('a', 2), ('b', 3), (NULL, 4)",
                ["insert items a", "insert items b", "insert items null"])
            try await captured.expect("UPDATE items SET name = 'c' WHERE n = 1", ["update items a -> c"])
            try await captured.expect("UPDATE items SET n = 5 WHERE n = 1", [])
            // Which old row became which new one can't be told, so every one counts.
            try await captured.expect(
                "UPDATE items SET name = upper(name)",
                [
                    "delete items a", "delete items b", "delete items c", "delete items null",
                    "insert items A",
                    "insert items B", "insert items C", "insert items null",
                ])
            try await captured.expect(
                "DELETE FROM items WHERE n > 2 AND n < 5", ["delete items B", "delete items null"])
        }
    }

    @Test func compositeAndChangedKeys() async throws {
        let tables = "CREATE TABLE items (a int, b text, c int, PRIMARY KEY (b, a))"
        let rules = "- {name: r, table: items, delete: {keys: ['k:{a}:{b}:{c}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            _ = try await captured.changes(
                of: "INSERT INTO items SELECT i, 'x', i * 10 FROM generate_series(1, 4) i")
            try await captured.expect(
                "UPDATE items SET c = c + 1 WHERE a < 3",
                ["update items 1, x, 10 -> 1, x, 11", "update items 2, x, 20 -> 2, x, 21"])
            try await captured.expect(
                "UPDATE items SET a = 9 WHERE a = 4", ["update items 4, x, 40 -> 9, x, 40"])
            try await captured.expect(
                "UPDATE items SET b = 'y' WHERE a < 3",
                [
                    "delete items 1, x, 11", "delete items 2, x, 21", "insert items 1, y, 11",
                    "insert items 2, y, 21",
                ])
        }
        // Rows that take each other's keys: each key's old and new image.
        try await Captured.with(
            "CREATE TABLE items (a int PRIMARY KEY DEFERRABLE, b text)",
            rules: "- {name: r, table: items, delete: {keys: ['k:{a}:{b}']}}"
        ) { (captured) async throws in
            _ = try await captured.changes(of: "INSERT INTO items VALUES (1, 'one'), (2, 'two')")
            try await captured.expect(
                "UPDATE items SET a = 3 - a",
                ["update items 1, one -> 1, two", "update items 2, two -> 2, one"])
        }
    }

    @Test func generatedColumns() async throws {
        let tables = """
            CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b int DEFAULT 7,
                total int GENERATED ALWAYS AS (a + b) STORED);
            CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := NEW.a * 2; RETURN NEW; END';
            CREATE TRIGGER first BEFORE INSERT OR UPDATE OF b ON items FOR EACH ROW EXECUTE FUNCTION double();
            """
        let rules = "- {name: r, table: items, columns: [total], delete: {keys: ['k:{id}:{total}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.expect(
                "INSERT INTO items (a) VALUES (1), (2)", ["insert items 1, 9", "insert items 2, 11"])
            try await captured.expect("UPDATE items SET a = 5 WHERE id = 1", ["update items 1, 9 -> 1, 12"])
            try await captured.expect(
                "UPDATE items SET a = a + 1, b = b - 5",
                ["update items 1, 12 -> 1, 14", "update items 2, 11 -> 2, 12"])
        }
    }

    @Test func inheritance() async throws {
        let tables = """
            CREATE TABLE items (id int PRIMARY KEY, name text);
            CREATE TABLE special (extra text, PRIMARY KEY (id)) INHERITS (items);
            """
        let rules = "- {name: r, table: items, delete: {keys: ['k:{id}:{name}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.expect("INSERT INTO special VALUES (1, 'a', 'x')", ["insert items 1, a"])
            try await captured.expect("INSERT INTO items VALUES (2, 'b')", ["insert items 2, b"])
            try await captured.expect(
                "UPDATE items SET name = name || '!'",
                ["update items 1, a -> 1, a!", "update items 2, b -> 2, b!"])
            try await captured.expect("DELETE FROM ONLY items", ["delete items 2, b!"])
            try await captured.expect("TRUNCATE items", ["any items", "any items"])
        }
    }

    /// A rule whose templates use nothing of the row.
    @Test func patternsWithoutColumns() async throws {
        let rules = "- {name: r, table: items, delete: {patterns: ['all:*']}}"
        try await Captured.with("CREATE TABLE items (id int PRIMARY KEY)", rules: rules) {
            (captured) async throws in
            try await captured.expect("INSERT INTO items SELECT generate_series(1, 1000)", ["insert items "])
            try await captured.expect("UPDATE items SET id = id WHERE id < 9", ["update items "])
            try await captured.expect("DELETE FROM items WHERE id = 7", ["delete items "])
        }
    }
}
