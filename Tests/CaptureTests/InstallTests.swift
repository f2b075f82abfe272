import Postgres
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Capture

/// Install takes the steps that are needed and no others.
@Suite struct InstallTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text, n int);
        CREATE TABLE orders (id int PRIMARY KEY, state text);
        """
    private static let items = "- {name: i, table: items, columns: [name], delete: {keys: ['i:{id}']}}"
    private static let orders = "- {name: o, table: orders, delete: {keys: ['o:{id}']}}"
    private static let both = items + "\n" + orders

    @Test(arguments: Wake.allCases, [false, true]) func aSecondTimeThereIsNothingToDo(
        wake: Wake, always: Bool
    ) async throws {
        let settings = CaptureSettings(wake: wake, replayWindow: .seconds(60), rowLimit: 100, always: always)
        try await Captured.with(Self.tables, rules: Self.both, settings: settings) {
            (captured) async throws in
            #expect(try await captured.install() == [])
            let preview = try await Installer(connection: captured.owner).preview(
                captured.rules, settings, workerRole: nil)
            #expect(preview.summaries == [])
            #expect(try await captured.problems() == [])
            #expect(try await CaptureState.read(captured.rules.rules, captured.owner).wake == wake)
        }
    }

    /// What other tables have stays as it is, down to the very rows of the catalog.
    @Test func aRuleChangeUpdatesOnlyWhatItChanges() async throws {
        try await Captured.with(Self.tables, rules: Self.both) { (captured) async throws in
            func catalog(_ table: String) async throws -> [String] {
                try await captured.owner.lines(
                    """
                    SELECT p.oid, p.xmin, t.oid, t.xmin, t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                    WHERE t.tgrelid = '\(table)'::regclass ORDER BY t.tgname
                    """)
            }
            let before = (items: try await catalog("items"), orders: try await catalog("orders"))
            let oid = try await captured.owner.value("SELECT 'items'::regclass::oid") ?? ""
            let changed = try RuleSet.items(
                Self.orders + "\n" + Self.items.replacing("[name]", with: "[name, n]"))
            #expect(
                try await captured.install(changed) == [
                    "record capture 3 of public.items",
                    "replace function unstale.capture_\(oid)_insert for public.items",
                    "replace function unstale.capture_\(oid)_update for public.items",
                    "replace function unstale.capture_\(oid)_delete for public.items",
                    "replace function unstale.capture_\(oid)_truncate for public.items",
                    "wait for the writers of public.items who began by the old functions",
                    "retire capture 1 of public.items",
                ])
            #expect(try await catalog("orders") == before.orders)
            #expect(try await catalog("items") != before.items)
            #expect(try await captured.install(changed) == [])
            // Another key of the same columns changes nothing in the database.
            let renamed = Self.items.replacing("[name]", with: "[name, n]").replacing("i:", with: "j:")
            #expect(try await captured.install(.items(Self.orders + "\n" + renamed)) == [])
        }
    }

    /// Records say which capture wrote them, so those from before a change are still read right.
    @Test func recordsFromBeforeAChange() async throws {
        try await Captured.with(Self.tables, rules: Self.items) { (captured) async throws in
            try await captured.owner.run("INSERT INTO items VALUES (1, 'a', 5)")
            try await captured.install(.items("- {name: i, table: items, delete: {keys: ['i:{n}:{name}']}}"))
            try await captured.owner.run("UPDATE items SET name = 'b'")
            try await captured.install(.items(Self.orders))
            try await captured.expect("DELETE FROM items", ["insert items 1", "update items 5, a -> 5, b"])
        }
    }

    @Test func aTableWithoutRulesAnyMore() async throws {
        try await Captured.with(Self.tables, rules: Self.both) { (captured) async throws in
            let steps = try await captured.install(.items(Self.items))
            #expect(steps.count == 9 && steps.last == "retire capture 2 of public.orders")
            try await captured.expect("INSERT INTO orders VALUES (1)", [])
            try await captured.expect("INSERT INTO items VALUES (1)", ["insert items 1"])
            // Its return is a capture of its own: what was missed meanwhile nobody promised.
            #expect(try await captured.install().contains("record capture 3 of public.orders"))
            try await captured.expect("INSERT INTO orders VALUES (2)", ["insert orders 2"])
        }
    }

    @Test func settingsThatChange() async throws {
        try await Captured.with(Self.tables, rules: Self.items) { (captured) async throws in
            let poll = CaptureSettings(wake: .poll, replayWindow: .seconds(30), rowLimit: 7, always: true)
            let steps = try await captured.install(settings: poll)
            #expect(steps.prefix(2) == ["set wake to poll", "set the time slots to 10 s"])
            #expect(
                Array(steps.dropFirst(2 + 4 + 3)) == [
                    "enable always trigger unstale_truncate on public.items",
                    "create trigger unstale_insert_row on public.items",
                    "enable replica trigger unstale_insert_row on public.items",
                    "create trigger unstale_update_row on public.items",
                    "enable replica trigger unstale_update_row on public.items",
                    "create trigger unstale_delete_row on public.items",
                    "enable replica trigger unstale_delete_row on public.items",
                    "count every row of public.items as changed, for it was not fully captured",
                ])
            #expect(try await captured.changes() == ["any items"])
            try await captured.expect("BEGIN; INSERT INTO items VALUES (1); PREPARE TRANSACTION 'i'", [])
            try await captured.expect("COMMIT PREPARED 'i'", ["insert items 1"])
            try await captured.expect("INSERT INTO items SELECT generate_series(2, 9)", ["any items"])
            #expect(try await captured.install().count == 2 + 4 + 1 + 3 + 3)
            try await captured.expect(
                "INSERT INTO items SELECT generate_series(12, 19)", (12...19).map { "insert items \($0)" })
            #expect(try await captured.install() == [])
        }
    }

    /// `install --print | psql` is the same as `install`.
    @Test func thePrintedSQLDoesTheSame() async throws {
        try await TestRole.with { role in
            try await TestDatabase.with { database in
                let odd = """
                    - name: w
                      table: items
                      where: new.name <> '$unstale$ \\ '':x :''y'''
                      delete: {keys: ['w:{id}']}
                    """
                let captured = try await Captured(database, rules: Self.both + "\n" + odd)
                let installer = Installer(connection: captured.owner)
                try await captured.owner.run(Self.tables)
                for settings in [CaptureSettings(), CaptureSettings(wake: .poll)] {
                    let preview = try await installer.preview(captured.rules, settings, workerRole: role)
                    try await database.psql(preview.sql)
                    #expect(try await captured.install(settings: settings, workerRole: role) == [])
                }
                try await captured.expect("INSERT INTO items VALUES (1, 'a', 2)", ["insert items 1"])
                _ = try await CaptureState.read(captured.rules.rules, database.connect(as: role))
            }
        }
    }

    @Test func aTableThatIsLocked() async throws {
        try await TestDatabase.with { database in
            let captured = try await Captured(database, rules: Self.both)
            try await captured.owner.run(Self.tables)
            let writer = try await database.connect()
            try await writer.run("BEGIN; INSERT INTO orders VALUES (1)")
            let installer = Installer(connection: captured.owner, lockTimeout: .milliseconds(50))
            let error = try await failure {
                try await installer.install(captured.rules, .init(), workerRole: nil)
            }
            #expect("\(error)".contains("canceling statement due to lock timeout"), "\(error)")
            #expect("\(error)".contains("another session holds a lock on a captured table"))
            #expect(try await captured.owner.value("SELECT to_regnamespace('unstale') IS NULL") == "t")
            #expect(try await captured.owner.value("SELECT count(*) FROM pg_trigger") == "0")
            try await writer.run("COMMIT")
            #expect(try await !installer.install(captured.rules, .init(), workerRole: nil).isEmpty)
        }
    }

    @Test func anotherInstall() async throws {
        try await Captured.with(Self.tables, rules: Self.items) { (captured) async throws in
            let other = try await captured.database.connect()
            try await other.run("SELECT pg_advisory_lock(\(AdvisoryLock.install.arguments))")
            let error = try await failure { try await captured.install() }
            #expect("\(error)".contains("another install is running"))
            try await other.run("SELECT pg_advisory_unlock_all()")
            #expect(try await captured.install() == [])
        }
    }

    @Test func aSchemaOfAnotherVersion() async throws {
        try await Captured.with(Self.tables, rules: Self.items) { (captured) async throws in
            try await captured.owner.run("UPDATE unstale.installation SET version = 99")
            let error = try await failure { try await captured.install() }
            #expect("\(error)".contains("has version 99, this program needs \(Schema.version)"), "\(error)")
            let state = try await failure { _ = try await captured.problems() }
            #expect("\(state)".contains("of another version"), "\(state)")
        }
    }

    /// What an older program installed is brought up to date; nothing that it knew is lost.
    @Test func anOlderSchema() async throws {
        try await Captured.with(Self.tables, rules: Self.items) { (captured) async throws in
            try await captured.owner.run(
                """
                INSERT INTO unstale.targets (name, cursor, cluster) VALUES ('default', '3:3:', 'c');
                INSERT INTO items VALUES (1, 'a', 1);
                ALTER TABLE unstale.targets DROP COLUMN resync;
                UPDATE unstale.installation SET version = 1
                """)
            let error = try await failure { _ = try await captured.problems() }
            #expect("\(error)".contains("run 'unstale install'"), "\(error)")
            #expect(
                try await captured.install() == ["bring the schema unstale from version 1 to \(Schema.version)"])
            #expect(try await captured.install() == [])
            #expect(try await captured.problems() == [])
            #expect(try await captured.owner.value("SELECT cursor FROM unstale.targets WHERE resync IS NULL") == "3:3:")
            #expect(try await captured.changes().count == 1)
        }
    }

    /// While rules change to and fro, no change of a busy table is lost, and none is recorded twice.
    @Test func nothingIsLostMeanwhile() async throws {
        try await Captured.with(Self.tables + "INSERT INTO items VALUES (1, 'a', 0)", rules: Self.both) {
            (captured) async throws in
            let writer = try await captured.database.connect()
            // Of a statement that was cancelled nobody would know whether it was committed after all.
            let isOver = Mutex(false)
            let writing = Task {
                var count = 0
                while !isOver.withLock({ $0 }) {
                    count += 1
                    _ = try await writer.query(
                        "UPDATE items SET name = $1", [.integer(count)], doing: "writing")
                }
            }
            for round in 1...10 {
                let columns = round.isMultiple(of: 2) ? "[name]" : "[name, n]"
                let steps = try await captured.install(.items(Self.items.replacing("[name]", with: columns)))
                #expect(!steps.isEmpty)
            }
            isOver.withLock { $0 = true }
            try await writing.value
            let written = try await captured.owner.value("SELECT name FROM items")
            #expect(try await captured.read().changes.count == Int(try #require(written)))
        }
    }
}
