import Postgres
import Rules
import TestSupport
import Testing

@testable import Capture

/// What logical replication writes: one database of the server publishes, and another subscribes to it and captures.
@Suite(.serialized) struct ReplicationTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text, n int DEFAULT 0);
        CREATE TABLE parts (id int, region text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
        CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
        CREATE TABLE parts_south PARTITION OF parts FOR VALUES IN ('south');
        """
    private static let rules = """
        - {name: i, table: items, columns: [name], delete: {keys: ['i:{id}:{name}']}}
        - {name: p, table: parts, delete: {keys: ['p:{id}:{region}']}}
        """

    /// Lends the publisher's connection and the capture, once the two rows that there were have been copied.
    private func withSubscription(
        viaRoot: Bool = false, _ body: (PostgresConnection, Captured) async throws -> Void
    ) async throws {
        try await TestDatabase.with { source in
            let publisher = try await source.connect()
            try await publisher.run(Self.tables + "INSERT INTO items VALUES (1, 'a'), (2, 'b')")
            try await publisher.run(
                "CREATE PUBLICATION changes FOR ALL TABLES WITH (publish_via_partition_root = \(viaRoot))")
            // On one server CREATE SUBSCRIPTION would wait for itself: a slot is ready when who wrote has committed.
            try await publisher.run(
                "SELECT pg_create_logical_replication_slot('\(source.name)', 'pgoutput')", deadline: .seconds(60))
            let settings = CaptureSettings(always: true)
            try await Captured.with(Self.tables, rules: Self.rules, settings: settings) { (captured) async throws in
                try await captured.owner.run(
                    """
                    CREATE SUBSCRIPTION copy CONNECTION '\(source.url)' PUBLICATION changes
                        WITH (create_slot = false, slot_name = '\(source.name)')
                    """)
                do {
                    try await expect(captured, ["insert items 1, a", "insert items 2, b"])
                    try await body(publisher, captured)
                } catch {
                    try await dropSubscription(captured, to: source)
                    throw error
                }
                try await dropSubscription(captured, to: source)
            }
        }
    }

    /// On one server, who drops it while a table is being copied waits for a slot that waits for the transaction in which
    /// it is dropped. So the copying ends first.
    private func dropSubscription(_ captured: Captured, to source: TestDatabase) async throws {
        try await captured.owner.run("ALTER SUBSCRIPTION copy DISABLE")
        try await eventually("nobody copies") {
            try await captured.owner.value(
                "SELECT count(*) FROM pg_replication_slots WHERE active AND database = '\(source.name)'") == "0"
        }
        try await captured.owner.run("DROP SUBSCRIPTION copy")
    }

    /// Waits for as many changes, and expects these, in any order. One that was recorded twice came in one transaction.
    private func expect(
        _ captured: Captured, _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var changes: [String] = []
        try await eventually(within: .seconds(60), "replication of \(expected)") {
            changes += try await captured.changes()
            return changes.count >= expected.count
        }
        #expect(changes.sorted() == expected.sorted(), sourceLocation: sourceLocation)
    }

    @Test func eachChangeIsRecordedOnce() async throws {
        try await withSubscription { (publisher, captured) async throws in
            for (sql, expected) in [
                ("INSERT INTO items VALUES (3, 'c'), (4, NULL)", ["insert items 3, c", "insert items 4, null"]),
                (
                    "UPDATE items SET name = upper(name)",
                    ["update items 1, a -> 1, A", "update items 2, b -> 2, B", "update items 3, c -> 3, C"]
                ),
                // What no rule cares about is not recorded, or would be by now.
                ("UPDATE items SET n = 7; UPDATE items SET name = 'd' WHERE id = 4", ["update items 4, null -> 4, d"]),
                ("UPDATE items SET id = 9 WHERE id = 1", ["update items 1, A -> 9, A"]),
                ("DELETE FROM items WHERE id > 3", ["delete items 4, d", "delete items 9, A"]),
                ("TRUNCATE items", ["any items"]),
            ] {
                try await publisher.run(sql)
                try await expect(captured, expected)
            }
            // And what is written here as before.
            try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["insert items 1, a"])
            #expect(try await captured.problems() == [])
        }
    }

    /// The rows come as those of the partitions, or as those of their parent.
    @Test(arguments: [false, true]) func partitions(viaRoot: Bool) async throws {
        try await withSubscription(viaRoot: viaRoot) { (publisher, captured) async throws in
            try await publisher.run("INSERT INTO parts VALUES (1, 'north'), (2, 'south')")
            try await expect(captured, ["insert parts 1, north", "insert parts 2, south"])
            try await publisher.run("UPDATE parts SET region = 'south' WHERE id = 1")
            try await expect(captured, ["delete parts 1, north", "insert parts 1, south"])
            try await publisher.run("DELETE FROM parts WHERE id = 2")
            try await expect(captured, ["delete parts 2, south"])
        }
    }

    @Test func aSleepingWorkerIsWoken() async throws {
        try await withSubscription { (publisher, captured) async throws in
            let witness = try await captured.database.connect()
            try await witness.run("LISTEN unstale")
            let sleeper = try await captured.database.connect()
            try await sleeper.run("SELECT pg_advisory_lock(\(AdvisoryLock.doorbell.arguments))")
            try await publisher.run("INSERT INTO items VALUES (3, 'c')")
            #expect(try await witness.waitForNotification(within: .seconds(30)))
            try await expect(captured, ["insert items 3, c"])
        }
    }

    /// The session that applies changes has planned for what the column was, and stays for months.
    @Test func aColumnOfAnotherType() async throws {
        try await withSubscription { (publisher, captured) async throws in
            try await publisher.run("UPDATE items SET name = 'c' WHERE id = 1")
            try await expect(captured, ["update items 1, a -> 1, c"])
            try await captured.owner.run("ALTER TABLE items ALTER name TYPE varchar(9)")
            try await publisher.run("UPDATE items SET name = 'd' WHERE id = 1")
            try await expect(captured, ["update items 1, c -> 1, d"])
        }
    }
}
