import TestSupport
import Testing

@testable import Capture

/// Every kind of statement and transaction that changes rows.
@Suite struct StatementTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY, name text, n int DEFAULT 0)"
    private static let rules = "- {name: r, table: items, columns: [name], delete: {keys: ['k:{id}:{name}']}}"

    private func withItems(
        _ settings: CaptureSettings = .init(), _ body: (Captured) async throws -> Void
    ) async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: settings, body)
    }

    @Test func insertUpdateDelete() async throws {
        try await withItems { (captured) async throws in
            try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["insert items 1, a"])
            try await captured.expect(
                "INSERT INTO items VALUES (2, 'b'), (3, NULL)", ["insert items 2, b", "insert items 3, null"])
            try await captured.expect(
                "UPDATE items SET name = 'c' WHERE id = 2", ["update items 2, b -> 2, c"])
            try await captured.expect(
                "UPDATE items SET name = name || '!'",
                ["update items 1, a -> 1, a!", "update items 2, c -> 2, c!"])
            try await captured.expect("DELETE FROM items WHERE id = 3", ["delete items 3, null"])
            try await captured.expect("DELETE FROM items", ["delete items 1, a!", "delete items 2, c!"])
        }
    }

    @Test func nothingWrittenForNothing() async throws {
        try await withItems { (captured) async throws in
            _ = try await captured.changes(
                of: "INSERT INTO items SELECT i, 'x' FROM generate_series(1, 10) i")
            for sql in [
                "UPDATE items SET name = 'y' WHERE id = 11", "DELETE FROM items WHERE id = 11",
                "INSERT INTO items SELECT 11, 'x' WHERE false", "UPDATE items SET n = n + 1",
                "UPDATE items SET n = n + 1 WHERE id = 1", "UPDATE items SET name = name",
                "INSERT INTO items VALUES (1, 'y') ON CONFLICT DO NOTHING", "SELECT * FROM items FOR UPDATE",
            ] {
                let before = try await captured.owner.value("SELECT nextval('unstale.outbox_id_seq')")
                try await captured.expect(sql, [])
                let batch = try await captured.read()
                #expect(batch.records == 0 && before != nil)
            }
        }
    }

    /// An update that no rule cares about takes no transaction id for the capture's sake.
    @Test func nothingWrittenTakesNoSubtransaction() async throws {
        try await withItems { (captured) async throws in
            _ = try await captured.changes(of: "INSERT INTO items VALUES (1, 'a'), (2, 'b')")
            for sql in ["UPDATE items SET name = 'c' WHERE id = 1", "UPDATE items SET name = name || '!'"] {
                let before = try #require(
                    UInt64(
                        try await captured.owner.value("SELECT pg_snapshot_xmax(pg_current_snapshot())") ?? ""
                    ))
                try await captured.owner.run(sql)
                let after = try #require(
                    UInt64(
                        try await captured.owner.value("SELECT pg_snapshot_xmax(pg_current_snapshot())") ?? ""
                    ))
                #expect(after == before + 1)
            }
        }
    }

    @Test func onConflict() async throws {
        try await withItems { (captured) async throws in
            _ = try await captured.changes(of: "INSERT INTO items VALUES (1, 'a'), (2, 'b')")
            let upsert = "ON CONFLICT (id) DO UPDATE SET name = excluded.name"
            try await captured.expect(
                "INSERT INTO items VALUES (1, 'A'), (2, 'b'), (3, 'c'), (4, 'd') \(upsert)",
                ["insert items 3, c", "insert items 4, d", "update items 1, a -> 1, A"])
            try await captured.expect(
                "INSERT INTO items VALUES (1, 'B') \(upsert)", ["update items 1, A -> 1, B"])
            try await captured.expect("INSERT INTO items VALUES (5, 'e') \(upsert)", ["insert items 5, e"])
            try await captured.expect(
                "INSERT INTO items VALUES (1, 'x'), (6, 'f') ON CONFLICT DO NOTHING", ["insert items 6, f"])
            try await captured.expect("INSERT INTO items VALUES (1, 'x') \(upsert) WHERE false", [])
        }
    }

    @Test func copy() async throws {
        try await withItems { (captured) async throws in
            try await command(
                "bash",
                [
                    "-c",
                    "printf '1\\ta\\t0\\n2\\t\\\\N\\t0\\n' | psql -X -q -v ON_ERROR_STOP=1 -d \(captured.database.url) -c 'COPY items FROM STDIN'",
                ])
            #expect(try await captured.changes() == ["insert items 1, a", "insert items 2, null"])
        }
    }

    @Test func merge() async throws {
        try await withItems { (captured) async throws in
            _ = try await captured.changes(of: "INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')")
            let merge = """
                MERGE INTO items AS i USING (VALUES (1, 'A'), (2, NULL), (3, 'c'), (4, 'd')) AS s(id, name) ON i.id = s.id
                WHEN MATCHED AND s.name IS NULL THEN DELETE
                WHEN MATCHED THEN UPDATE SET name = s.name
                WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)
                """
            try await captured.expect(
                merge, ["delete items 2, b", "insert items 4, d", "update items 1, a -> 1, A"])
        }
    }

    @Test func writesInQueries() async throws {
        try await withItems { (captured) async throws in
            _ = try await captured.changes(of: "INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')")
            let sql = """
                WITH gone AS (DELETE FROM items WHERE id = 1 RETURNING *),
                    changed AS (UPDATE items SET name = 'B' WHERE id = 2 RETURNING *),
                    others AS (UPDATE items SET name = 'C' WHERE id = 3 RETURNING *)
                INSERT INTO items SELECT id + 10, name FROM gone UNION ALL SELECT id + 10, name FROM changed
                """
            try await captured.expect(
                sql,
                [
                    "delete items 1, a", "insert items 11, a", "insert items 12, B",
                    "update items 2, b -> 2, B",
                    "update items 3, c -> 3, C",
                ])
        }
    }

    @Test func foreignKeys() async throws {
        let tables = """
            CREATE TABLE users (id int PRIMARY KEY, name text);
            CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE);
            CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE SET NULL,
                order_id int REFERENCES orders ON DELETE CASCADE);
            """
        let rules = """
            - {name: o, table: orders, delete: {keys: ['order:{id}:{user_id}']}}
            - {name: n, table: notes, delete: {keys: ['note:{id}:{user_id}']}}
            """
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            _ = try await captured.changes(
                of: """
                    INSERT INTO users VALUES (1), (2), (3);
                    INSERT INTO orders VALUES (10, 1), (11, 1), (20, 2), (30, 3);
                    INSERT INTO notes VALUES (100, 1, 20), (101, 1, NULL), (300, 3, 30);
                    """)
            try await captured.expect(
                "UPDATE users SET id = 5 WHERE id = 2", ["update orders 20, 2 -> 20, 5"])
            try await captured.expect(
                "DELETE FROM users WHERE id IN (1, 3)",
                [
                    "delete notes 300, null", "delete orders 10, 1", "delete orders 11, 1",
                    "delete orders 30, 3",
                    "update notes 100, 1 -> 100, null", "update notes 101, 1 -> 101, null",
                    "update notes 300, 3 -> 300, null",
                ])
            try await captured.expect("DELETE FROM users", ["delete notes 100, null", "delete orders 20, 5"])
        }
    }

    @Test func transactions() async throws {
        try await withItems { (captured) async throws in
            try await captured.expect(
                """
                BEGIN; INSERT INTO items VALUES (1, 'a'); UPDATE items SET name = 'b'; DELETE FROM items;
                INSERT INTO items VALUES (1, 'c'); COMMIT
                """,
                ["delete items 1, b", "insert items 1, a", "insert items 1, c", "update items 1, a -> 1, b"])
            try await captured.expect("BEGIN; UPDATE items SET name = 'x'; ROLLBACK", [])
            try await captured.expect(
                """
                BEGIN; UPDATE items SET name = 'd';
                SAVEPOINT a; UPDATE items SET name = 'lost';
                SAVEPOINT b; DELETE FROM items; ROLLBACK TO a;
                SAVEPOINT c; INSERT INTO items VALUES (2, 'kept'); RELEASE c; COMMIT
                """, ["insert items 2, kept", "update items 1, c -> 1, d"])
            try await captured.expect(
                """
                DO $$ BEGIN
                    UPDATE items SET name = 'e' WHERE id = 1;
                    BEGIN
                        UPDATE items SET name = 'lost';
                        PERFORM 1 / 0;
                    EXCEPTION WHEN division_by_zero THEN NULL;
                    END;
                END $$
                """, ["update items 1, d -> 1, e"])
        }
    }

    @Test func truncate() async throws {
        let tables = """
            CREATE TABLE items (id int PRIMARY KEY);
            CREATE TABLE lines (id int PRIMARY KEY, item_id int REFERENCES items);
            CREATE TABLE others (id int PRIMARY KEY);
            """
        let rules = """
            - {name: i, table: items, on: [insert], delete: {keys: ['i:{id}']}}
            - {name: l, table: lines, delete: {keys: ['l:{id}']}}
            - {name: o, table: others, delete: {keys: ['o:{id}']}}
            """
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.expect("TRUNCATE others", ["any others"])
            try await captured.expect("TRUNCATE items CASCADE", ["any items", "any lines"])
            try await captured.expect("BEGIN; TRUNCATE others; ROLLBACK", [])
            #expect(try await captured.read().failures.isEmpty)
        }
    }

    @Test func preparedTransactions() async throws {
        try await withItems(CaptureSettings(wake: .poll)) { (captured) async throws in
            try await captured.expect(
                "BEGIN; INSERT INTO items VALUES (1, 'a'); PREPARE TRANSACTION 'one'", [])
            try await captured.expect("INSERT INTO items VALUES (2, 'b')", ["insert items 2, b"])
            try await captured.expect("COMMIT PREPARED 'one'", ["insert items 1, a"])
            try await captured.expect(
                "BEGIN; INSERT INTO items VALUES (3, 'c'); PREPARE TRANSACTION 'two'", [])
            try await captured.expect("ROLLBACK PREPARED 'two'", [])
        }
    }

    /// What a trigger of the application's writes in turn.
    @Test func writesOfOtherTriggers() async throws {
        let tables = """
            CREATE TABLE items (id int PRIMARY KEY, name text);
            CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN UPDATE items SET name = upper(name) WHERE id = NEW.id; RETURN NULL; END $$;
            CREATE TRIGGER shout AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION shout();
            """
        let rules = "- {name: r, table: items, delete: {keys: ['k:{id}:{name}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            let changes = try await captured.changes(of: "INSERT INTO items VALUES (1, 'a'), (2, 'b')")
            #expect(
                changes == [
                    "insert items 1, a", "insert items 2, b", "update items 1, a -> 1, A",
                    "update items 2, b -> 2, B",
                ])
        }
    }

    /// Once, whatever the session's role, and by rows where that is `replica`.
    @Test(arguments: ["origin", "local", "replica"], [false, true]) func sessionRoles(
        role: String, always: Bool
    ) async throws {
        try await withItems(CaptureSettings(always: always)) { (captured) async throws in
            func expect(_ sql: String, _ expected: [String]) async throws {
                try await captured.expect(sql, role == "replica" && !always ? [] : expected)
            }
            try await captured.owner.run("SET session_replication_role = \(role)")
            try await expect("INSERT INTO items VALUES (1, 'a')", ["insert items 1, a"])
            try await expect(
                "INSERT INTO items VALUES (2, 'b'), (3, NULL)", ["insert items 2, b", "insert items 3, null"])
            try await expect("UPDATE items SET n = n + 1", [])
            try await expect(
                "UPDATE items SET name = name || '!'", ["update items 1, a -> 1, a!", "update items 2, b -> 2, b!"])
            try await expect("UPDATE items SET id = 9 WHERE id = 1", ["update items 1, a! -> 9, a!"])
            try await expect("DELETE FROM items WHERE id > 2", ["delete items 3, null", "delete items 9, a!"])
            try await expect("TRUNCATE items", ["any items"])
            #expect(try await captured.problems() == [])
        }
    }
}
