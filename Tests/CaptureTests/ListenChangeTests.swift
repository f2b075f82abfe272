import Postgres
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Capture

/// Rules, captures, partitions and listeners that come and go while notifications come.
@Suite(.timeLimit(.minutes(3))) struct ListenChangeTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text, email text); CREATE TABLE orders (id int PRIMARY KEY)
        """

    private func withCapture(
        _ gap: ListenChannel.Gap, _ tables: String = tables, rules: String, _ body: (Captured) async throws -> Void
    ) async throws {
        let settings = CaptureSettings(listen: [ListenChannel(name: "changes", onGap: gap)])
        try await Captured.with(tables, rules: rules, settings: settings, body)
    }

    private func heard(
        _ gap: ListenChannel.Gap, _ tables: String = tables, rules: String,
        named: (@Sendable () -> Set<TableName>)? = nil, _ body: (Captured) async throws -> Void
    ) async throws {
        try await withCapture(gap, tables, rules: rules) { captured in
            try await captured.owner.run(ForeignTriggers.on("items"))
            try await captured.listening(named: named) {
                if gap == .anyRow { try await captured.expectHeard("SELECT", ["any items"]) }
                try await body(captured)
            }
        }
    }

    private static func rule(_ keys: String, _ more: String = "") -> String {
        "- {name: r, table: items, \(more)delete: {keys: [\(keys)]}}"
    }

    private static func insertion(_ row: String, _ operation: String = "I") -> String {
        "SELECT pg_notify('changes', '{\"table\":\"items\",\"op\":\"\(operation)\",\"new\":\(row)}')"
    }

    /// A capture that is installed anew takes over without a gap.
    @Test func installedAnewMeanwhile() async throws {
        try await heard(.ignore, rules: Self.rule("'i:{id}'")) { captured in
            try await captured.expectHeard("INSERT INTO items VALUES (1, 'a')", ["insert items 1"])
            try await captured.install(try .items(Self.rule("'i:{id}:{name}'")))
            try await captured.expectHeard("INSERT INTO items VALUES (2, 'b')", ["insert items 2, b"])
        }
    }

    /// What was a whole row for the old rules lacks something for the new.
    @Test(arguments: [
        ("'i:{id}:{name}'", "'i:{id}:{name}', 'e:{email}'", insertion("{\"id\":1,\"name\":\"a\"}")),
        ("'i:{id}'", "'i:{id}', 'n:{name}'", insertion("{\"id\":1,\"name\":\"a\",\"email\":\"b\"}", "U")),
    ]) func newColumns(old: String, new: String, notify: String) async throws {
        try await heard(.ignore, rules: Self.rule(old)) { captured in
            try await captured.install(try .items(Self.rule(new)))
            try await captured.expectHeard(notify, ["any items"])
        }
    }

    /// What was ignored for want of newer rules counts once they are known.
    @Test func aNewOperation() async throws {
        try await heard(.anyRow, rules: Self.rule("'i:{id}'", "'on': [update], ")) { captured in
            try await captured.expectHeard(
                "INSERT INTO items VALUES (1, 'a'); UPDATE items SET name = 'b'", ["update items 1"])
            try await captured.install(try .items(Self.rule("'i:{id}'", "'on': [insert, update], ")))
            try await captured.expectHeard("SELECT", ["any items"])
            try await captured.expectHeard("INSERT INTO items VALUES (2, 'b')", ["insert items 2"])
            // And again, however long it has listened.
            try await captured.expectHeard(
                "DELETE FROM items WHERE id = 1; UPDATE items SET name = 'c'", ["update items 2"])
            try await captured.install(try .items(Self.rule("'i:{id}'")))
            try await captured.expectHeard("SELECT", ["any items"])
        }
    }

    @Test func aNewTable() async throws {
        let items = TableName(name: "items")
        let named = Mutex<Set<TableName>>([items])
        try await heard(.anyRow, rules: Self.rule("'i:{id}'"), named: { named.withLock { $0 } }) { captured in
            let newer = Self.rule("'i:{id}'") + "\n- {name: o, table: orders, delete: {keys: ['o:{id}']}}"
            try await captured.install(try .items(newer))
            try await captured.owner.run(
                "CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tell('changes')")
            // Heard in order: by then the first was ignored.
            try await captured.expectHeard(
                "INSERT INTO orders VALUES (1); INSERT INTO items VALUES (1)", ["insert items 1"])
            named.withLock { $0 = [items, TableName(name: "orders")] }
            try await captured.expectHeard("SELECT", ["any orders"])
            try await captured.expectHeard("INSERT INTO orders VALUES (2)", ["insert orders 2"])
        }
    }

    /// Its trigger tells a name that nobody knows yet.
    @Test func aNewPartition() async throws {
        let tables = """
            CREATE TABLE items (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE items_0 PARTITION OF items FOR VALUES FROM (0) TO (10)
            """
        try await heard(.anyRow, tables, rules: Self.rule("'i:{id}'")) { captured in
            try await captured.expectHeard(
                """
                CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (10) TO (20); INSERT INTO items VALUES (11)
                """, among: "any items")
            try await captured.expectHeard("INSERT INTO items VALUES (12)", among: "insert items 12")
        }
    }

    /// What was heard is kept, whatever fails before it is written.
    @Test func aCaptureThatCantBeRead() async throws {
        try await withCapture(.ignore, rules: Self.rule("'i:{id}'")) { captured in
            let listener = captured.listener()
            let first = Task { try await listener.listen() }
            try await captured.waitForListener()
            try await captured.owner.run(
                """
                BEGIN; UPDATE unstale.installation SET version = version + 1;
                UPDATE unstale.captures SET retired_at = now(); \(Self.insertion("{\"id\":1}")); COMMIT
                """)
            let failure = try await failure { try await first.value }
            #expect("\(failure)".contains("of another version than this program"))
            #expect(listener.listening.fault?.contains("of another version") == true)
            try await captured.owner.run(
                "UPDATE unstale.installation SET version = version - 1; UPDATE unstale.captures SET retired_at = NULL")
            let second = Task { try await listener.listen() }
            defer { second.cancel() }
            try await captured.expectHeard("SELECT", ["insert items 1"])
        }
    }

    /// What was heard is written even where the worker is told to end before it was.
    @Test func theEnd() async throws {
        try await withCapture(.ignore, rules: Self.rule("'i:{id}'")) { captured in
            let listener = captured.listener()
            let listening = Task { try await listener.listen() }
            try await captured.waitForListener()
            let blocker = try await captured.database.connect()
            try await blocker.run("BEGIN; LOCK TABLE unstale.outbox")
            try await captured.owner.run(Self.insertion("{\"id\":1}"))
            let waiting = """
                SELECT query_start FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = 'listener' AND wait_event_type = 'Lock'
                """
            var start: String?
            try await eventually("a write that waits") {
                start = try await captured.owner.value(waiting)
                return start != nil
            }
            listening.cancel()
            // The first was stopped.
            try await eventually("another write") {
                let other = try await captured.owner.value(waiting)
                return other != nil && other != start
            }
            try await blocker.run("ROLLBACK")
            await #expect(throws: (any Error).self) { try await listening.value }
            #expect(try await captured.changes() == ["insert items 1"])
        }
    }
}
