import TestSupport
import Testing

@testable import Capture

/// A capture that fails never fails the application's write, and is never silent.
@Suite struct FailureTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text, n int);
        CREATE FUNCTION moody(int) RETURNS bool LANGUAGE plpgsql AS $$
            DECLARE i int;
            BEGIN
                CASE $1 WHEN 1 THEN SELECT 1 INTO STRICT i WHERE false;
                    WHEN 2 THEN SELECT 1 INTO STRICT i FROM generate_series(1, 2);
                    WHEN 3 THEN ASSERT false, 'an assertion';
                    WHEN 4 THEN RAISE 'in the mood';
                    ELSE NULL;
                END CASE;
                RETURN true;
            END $$;
        """

    @Test func aWhereThatDivides() async throws {
        let rules = "- {name: r, table: items, where: 10 / new.n > 1, delete: {keys: ['k:{id}']}}"
        try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
            for sql in [
                "INSERT INTO items VALUES (1, 'a', 0)", "INSERT INTO items VALUES (2, 'b', 5), (3, 'c', 0)",
                "UPDATE items SET n = 0 WHERE id = 2", "UPDATE items SET name = 'x'",
            ] {
                try await captured.expect(sql, ["any items"])
                #expect(try await captured.lastFailures() == ["division by zero"])
            }
            try await captured.expect("UPDATE items SET n = 5 WHERE id = 1", ["update items 1 -> 1"])
            #expect(
                try await captured.owner.value("SELECT string_agg(name, '' ORDER BY id) FROM items") == "xxx")
        }
    }

    /// What its functions raise must not be taken for the answer to how many rows there are.
    @Test func aWhereThatRaises() async throws {
        let rules = "- {name: r, table: items, where: public.moody(new.n), delete: {keys: ['k:{id}']}}"
        try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
            try await captured.expect(
                "INSERT INTO items VALUES (7, 'a', 0), (8, 'a', 0)", ["insert items 7", "insert items 8"])
            for mood in 1...4 {
                for condition in ["id = 7", "true"] {
                    try await captured.expect(
                        "UPDATE items SET n = \(mood) WHERE \(condition)", ["any items"])
                    #expect(try await captured.lastFailures().first?.isEmpty == false, "mood \(mood)")
                }
            }
            try await captured.expect("UPDATE items SET n = 4 WHERE false", [])
            try await captured.expect("UPDATE items SET n = 0", ["update items 7", "update items 8"])
        }
    }

    @Test func aColumnThatIsGone() async throws {
        let rules = "- {name: r, table: items, columns: [name], delete: {keys: ['k:{id}:{name}']}}"
        for alteration in ["DROP COLUMN name", "RENAME name TO title"] {
            try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
                try await captured.expect("INSERT INTO items VALUES (1, 'a', 1)", ["insert items 1, a"])
                try await captured.expect("ALTER TABLE items \(alteration)", [])
                try await captured.expect("UPDATE items SET n = 2", ["any items"])
                try await captured.expect("INSERT INTO items (id) VALUES (2), (3)", ["any items"])
                try await captured.expect("UPDATE items SET n = 2 WHERE false", [])
                try await captured.expect("DELETE FROM items", ["any items"])
                let failures = try await captured.lastFailures()
                #expect(failures.count == 1 && failures.allSatisfy { $0.contains("name") }, "\(failures)")
            }
        }
    }

    /// Rows that are recorded one by one fail one by one.
    @Test func replicatedRows() async throws {
        let rules = "- {name: r, table: items, where: public.moody(new.n), delete: {keys: ['k:{id}:{name}']}}"
        try await Captured.with(Self.tables, rules: rules, settings: .init(always: true)) { (captured) async throws in
            try await captured.owner.run("SET session_replication_role = replica")
            for mood in 1...4 {
                try await captured.expect(
                    "INSERT INTO items VALUES (\(mood), 'a', \(mood)), (\(mood + 4), 'b', 0)",
                    ["any items", "insert items \(mood + 4), b"])
                #expect(try await captured.lastFailures().contains { !$0.isEmpty }, "mood \(mood)")
            }
            try await captured.owner.run("ALTER TABLE items RENAME name TO title")
            try await captured.expect("DELETE FROM items WHERE id IN (1, 5)", ["any items", "any items"])
            #expect(try await captured.lastFailures().allSatisfy { $0.hasSuffix("no field \"name\"") })
            try await captured.owner.run("ALTER TABLE items RENAME title TO name")
            try await captured.expect("DELETE FROM items WHERE id = 6", ["delete items 6, b"])
        }
    }

    /// In a session that has planned for what the column was.
    @Test(arguments: ["origin", "replica"]) func aColumnOfAnotherType(role: String) async throws {
        let rules =
            "- {name: r, table: items, columns: [n], where: new.n > 1, delete: {keys: ['k:{id}:{n}']}}"
        try await Captured.with(Self.tables, rules: rules, settings: .init(always: true)) { (captured) async throws in
            try await captured.owner.run("SET session_replication_role = \(role)")
            try await captured.expect("INSERT INTO items VALUES (1, 'a', 2)", ["insert items 1, 2"])
            // It rewrites the table, and nobody can tell what the values were.
            try await captured.expect("ALTER TABLE items ALTER n TYPE timestamptz USING now()", [])
            try await captured.expect("UPDATE items SET n = now() + interval '1 s'", ["any items"])
            try await captured.expect("ALTER TABLE items ALTER n TYPE bigint USING 7", [])
            try await captured.expect("UPDATE items SET n = n + 1", ["update items 1, 7 -> 1, 8"])
        }
    }

    /// Where even the record can't be written, the change must not commit either.
    @Test func theOutboxItselfIsBroken() async throws {
        let rules = "- {name: r, table: items, delete: {keys: ['k:{id}']}}"
        try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
            try await captured.owner.run("ALTER TABLE unstale.outbox RENAME TO gone")
            await #expect(throws: (any Error).self) {
                try await captured.owner.run("INSERT INTO items VALUES (1)")
            }
            try await captured.owner.run("ALTER TABLE unstale.gone RENAME TO outbox")
            try await captured.expect("SELECT", [])
            #expect(try await captured.owner.value("SELECT count(*) FROM items") == "0")
        }
    }
}
