import Postgres
import TestSupport
import Testing

@testable import Capture

/// In a copy of the database a cursor means nothing.
@Suite struct RestoreTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text);
        CREATE TABLE parts (id int, r int) PARTITION BY LIST (r);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
        """
    private static let rules = """
        - {name: r, table: items, delete: {keys: ['k:{id}:{name}']}}
        - {name: p, table: parts, delete: {keys: ['p:{id}']}}
        """

    @Test(arguments: [false, true]) func aCopy(always: Bool) async throws {
        let settings = CaptureSettings(always: always)
        try await Captured.with(Self.tables, rules: Self.rules, settings: settings) { (captured) async throws in
            try await captured.owner.run("INSERT INTO items VALUES (1, 'a'); INSERT INTO parts VALUES (1, 1)")
            let cluster = try await Cluster.read(captured.owner)
            #expect(try await Cluster.read(captured.owner) == cluster)
            try await TestDatabase.with { copy in
                try await command(
                    "bash",
                    [
                        "-c",
                        "set -o pipefail; pg_dump '\(captured.database.url)' | psql -X -q -v ON_ERROR_STOP=1 '\(copy.url)'",
                    ])
                let restored = try await Captured(copy, rules: Self.rules, settings: settings)
                #expect(try await Cluster.read(restored.owner) != cluster)
                // It captures at once, by the functions that came with it,
                #expect(try await restored.changes().sorted() == ["insert items 1, a", "insert parts 1"])
                try await restored.expect("INSERT INTO items VALUES (2, 'b')", ["insert items 2, b"])
                try await restored.expect("INSERT INTO parts_1 VALUES (2, 1)", ["insert parts 2"])
                // and install gives it functions of its own.
                let steps = try await restored.install()
                #expect(
                    steps.contains(
                        "count every row of public.items as changed, for it was not fully captured"))
                #expect(steps.count { $0.hasPrefix("drop function") } == (always ? 14 : 8))
                #expect(try await restored.install() == [])
                let triggers =
                    "SELECT tgname, tgrelid::regclass::text, tgenabled FROM pg_trigger "
                    + "WHERE tgname LIKE 'unstale%' ORDER BY 1, 2"
                let originals = try await captured.owner.lines(triggers)
                #expect(try await restored.owner.lines(triggers) == originals)
                #expect(try await restored.changes().sorted() == ["any items", "any parts"])
                try await restored.expect("INSERT INTO parts VALUES (3, 1)", ["insert parts 3"])
                try await restored.owner.run("SET session_replication_role = replica")
                try await restored.expect(
                    "INSERT INTO parts VALUES (4, 1); UPDATE items SET name = 'c' WHERE id = 1",
                    always ? ["insert parts 4", "update items 1, a -> 1, c"] : [])
            }
        }
    }

    /// On another cluster the ids of the copied records may be yet to come: they are nobody's.
    @Test func recordsFromTheFuture() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            try await captured.owner.run("INSERT INTO items VALUES (1, 'a')")
            try await captured.owner.run("UPDATE unstale.outbox SET xid = '4000000000'")
            for id in 2...5 {
                try await captured.expect("INSERT INTO items VALUES (\(id), 'b')", ["insert items \(id), b"])
            }
            try await ageEverything(captured)
            let here = try await captured.read().snapshot
            try await Outbox(connection: captured.owner).reclaim(passed: [here])
            #expect(try await captured.owner.value("SELECT count(*) FROM unstale.outbox") == "0")
        }
    }
}
