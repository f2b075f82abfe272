import Postgres
import Rules
import TestSupport
import Testing

@testable import Capture

/// What goes wrong with a capture is seen, and install mends it.
@Suite struct RepairTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY, name text)"
    private static let rules = "- {name: i, table: items, columns: [name], delete: {keys: ['i:{id}']}}"

    private func withItems(_ body: (Captured) async throws -> Void) async throws {
        try await Captured.with(Self.tables, rules: Self.rules, body)
    }

    @Test(arguments: [
        ("DROP TRIGGER unstale_update ON items", "is missing"),
        ("ALTER TABLE items DISABLE TRIGGER unstale_update", "is disabled"),
        ("ALTER TABLE items DISABLE TRIGGER ALL", "is disabled"),
        ("ALTER TABLE items ENABLE REPLICA TRIGGER unstale_update", "is disabled"),
    ])
    func triggersThatDoNotFire(damage: String, what: String) async throws {
        try await withItems { (captured) async throws in
            let before = try await CaptureState.read(captured.rules.rules, captured.owner)
            #expect(before.problems.isEmpty)
            try await captured.owner.run(damage)
            let state = try await CaptureState.read(captured.rules.rules, captured.owner)
            let update = state.problems.filter { $0.reason.contains("unstale_update") }
            #expect(
                update.map(\.reason) == [
                    "trigger unstale_update on public.items \(what): run 'unstale install'"
                ])
            #expect(update.allSatisfy { $0.losesChanges })
            #expect(state.triggerVersions != before.triggerVersions)
            try await captured.owner.run("INSERT INTO items VALUES (1, 'a'); UPDATE items SET name = 'lost'")
            _ = try await captured.read()
            // Every row counts as changed, in the same transaction that mends it.
            #expect(
                try await captured.install().last
                    == "count every row of public.items as changed, for it was not fully captured")
            try await captured.expect("UPDATE items SET name = 'b'", ["any items", "update items 1 -> 1"])
            #expect(try await captured.problems() == [])
            #expect(try await captured.install() == [])
        }
    }

    @Test(arguments: [
        ("DROP TRIGGER unstale_insert_row ON items", "unstale_insert_row on public.items is missing"),
        ("ALTER TABLE items DISABLE TRIGGER unstale_insert_row", "unstale_insert_row on public.items is disabled"),
        (
            "ALTER TABLE items ENABLE TRIGGER unstale_insert_row",
            "unstale_insert_row on public.items does not fire for what logical replication writes"
        ),
        (
            "ALTER TABLE items ENABLE TRIGGER unstale_truncate",
            "unstale_truncate on public.items does not fire for what logical replication writes"
        ),
        ("ALTER TABLE items ENABLE REPLICA TRIGGER unstale_truncate", "unstale_truncate on public.items is disabled"),
    ])
    func triggersThatMissWhatIsReplicated(damage: String, what: String) async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: .init(always: true)) {
            (captured) async throws in
            try await captured.owner.run(damage)
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(problems.map(\.reason) == ["trigger \(what): run 'unstale install --always'"])
            #expect(problems.allSatisfy { $0.losesChanges })
            try await expectMended(captured)
        }
    }

    /// Postgres has all triggers fire for everybody then, those for rows as well.
    @Test func allTriggersAreEnabled() async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: .init(always: true)) {
            (captured) async throws in
            try await captured.owner.run("ALTER TABLE items DISABLE TRIGGER ALL; ALTER TABLE items ENABLE TRIGGER ALL")
            let insertion = "INSERT INTO items VALUES (1, 'a'), (2, 'b')"
            try await captured.expect(insertion, ["insert items 1", "insert items 2"])
            try await captured.expect("DELETE FROM items WHERE id = 1", ["delete items 1"])
            #expect(try await captured.problems().count == 4)
            try await expectMended(captured)
        }
    }

    /// The triggers for statements were made to fire always, and nobody noticed that logical replication fires none.
    @Test func fromBeforeThereWereTriggersForRows() async throws {
        try await withItems { (captured) async throws in
            for event in TriggerEvent.allCases where !event.isForEachRow {
                try await captured.owner.run("ALTER TABLE items ENABLE ALWAYS TRIGGER \(event.triggerName)")
            }
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(
                problems.map(\.reason)
                    == ["insert", "update", "delete"].map {
                        "trigger unstale_\($0)_row on public.items is missing: run 'unstale install --always'"
                    })
            try await expectMended(captured)
        }
    }

    /// Installs, and expects that every row counts as changed and that what is replicated is recorded from then on.
    private func expectMended(_ captured: Captured) async throws {
        let settings = CaptureSettings(always: true)
        #expect(
            try await captured.install(settings: settings).last
                == "count every row of public.items as changed, for it was not fully captured")
        try await captured.owner.run("SET session_replication_role = replica")
        try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["any items", "insert items 1"])
        try await captured.expect("TRUNCATE items", ["any items"])
        #expect(try await captured.problems() == [])
        #expect(try await captured.install(settings: settings) == [])
    }

    /// A trigger that was off for a while and is on again lost changes: its version tells.
    @Test func aGapThatIsOver() async throws {
        try await withItems { (captured) async throws in
            func versions() async throws -> [String: String] {
                try await CaptureState.read(captured.rules.rules, captured.owner).triggerVersions
            }
            let before = try await versions()
            #expect(try await versions() == before)
            try await captured.owner.run("INSERT INTO items VALUES (1, 'a')")
            try await captured.owner.run("VACUUM")
            #expect(try await versions() == before)
            try await captured.owner.run(
                "ALTER TABLE items DISABLE TRIGGER unstale_insert; ALTER TABLE items ENABLE TRIGGER unstale_insert"
            )
            #expect(try await versions() != before)
            #expect(try await captured.problems() == [])
        }
    }

    @Test func aColumnThatIsGone() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run("ALTER TABLE items RENAME name TO title")
            let state = try await CaptureState.read(captured.rules.rules, captured.owner)
            #expect(state.problems.map(\.losesChanges) == [false])
            #expect(
                state.problems.first?.reason.hasPrefix(
                    "column 'name' of public.items is gone: its keys go by pattern") == true)
            let error = try await failure { try await captured.install() }
            #expect("\(error)".contains("name") && error is RulesError, "\(error)")
            try await captured.install(.items(Self.rules.replacing("[name]", with: "[title]")))
            try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["insert items 1"])
        }
    }

    /// A migration may give a column a type whose text depends on a setting, is compared in another way, or is not what a
    /// cast to text gives.
    @Test(arguments: [
        ("id", "timestamptz USING to_timestamp(id)"), ("id", "numeric(9, 2)"), ("id", "boolean USING id <> 0"),
        ("seen", "numeric"), ("at", "timestamptz USING to_timestamp(at)"),
    ])
    func aColumnOfAnotherType(column: String, type: String) async throws {
        let tables = "CREATE TABLE items (id int PRIMARY KEY, name text, seen int, at int)"
        let rules = """
            - {name: i, table: items, columns: [seen], delete: {keys: ['i:{id}']}}
            - {name: w, table: items, where: "new.at::text LIKE '%1'", delete: {keys: ['w:{name}']}}
            """
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.owner.run("ALTER TABLE items ALTER name TYPE varchar(20), ALTER seen TYPE bigint")
            #expect(try await captured.problems() == [], "they are read in the same way")
            try await captured.owner.run("ALTER TABLE items ALTER \(column) TYPE \(type)")
            let state = try await CaptureState.read(captured.rules.rules, captured.owner)
            #expect(
                state.problems.map(\.reason) == [
                    "the triggers of public.items are not those that its columns need by now: run 'unstale install'"
                ])
            #expect(state.problems.allSatisfy { $0.losesChanges })
            #expect(
                try await captured.install().last
                    == "count every row of public.items as changed, for it was not fully captured")
            #expect(try await captured.problems() == [])
            #expect(try await captured.install() == [])
        }
    }

    /// Many rows are paired by primary key, which is never null; what was one may be.
    @Test func aPrimaryKeyThatIsGone() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run(
                "ALTER TABLE items DROP CONSTRAINT items_pkey; ALTER TABLE items ALTER id DROP NOT NULL")
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(
                problems.map(\.reason) == [
                    "the triggers of public.items are not those that its columns need by now: run 'unstale install'"
                ])
            #expect(problems.allSatisfy { $0.losesChanges })
            #expect(
                try await captured.install().last
                    == "count every row of public.items as changed, for it was not fully captured")
            #expect(try await captured.problems() == [])
            try await captured.expect(
                "INSERT INTO items VALUES (NULL, 'a'), (NULL, 'b')", ["any items", "insert items null"])
            try await captured.expect(
                "UPDATE items SET name = name || '!'", ["delete items null", "insert items null"])
        }
    }

    /// The triggers of a restored database call functions that are named by another table's number; and what inserts and
    /// deletes record does not depend on a column that only updates are compared by.
    @Test func aColumnOfAnotherTypeThatIsHidden() async throws {
        let tables = "CREATE TABLE items (id int PRIMARY KEY, seen int)"
        let rules = "- {name: i, table: items, columns: [seen], delete: {keys: ['i:{id}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.owner.run(
                """
                DO $$ DECLARE function regprocedure; BEGIN
                    FOR function IN SELECT tgfoid FROM pg_trigger WHERE tgname LIKE 'unstale%' LOOP
                        EXECUTE format('ALTER FUNCTION %s RENAME TO %I', function, 'restored' || function::oid);
                    END LOOP;
                END $$;
                ALTER TABLE items ALTER id TYPE timestamptz USING to_timestamp(id);
                ALTER TABLE items RENAME seen TO sight
                """)
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(problems.map(\.losesChanges) == [false, true])
            let changed = try RuleSet.items(rules.replacing("[seen]", with: "[sight]"))
            #expect(
                try await captured.install(changed).contains(
                    "count every row of public.items as changed, for it was not fully captured"))
            #expect(try await captured.problems(changed) == [])
        }
    }

    /// A write that began by the old triggers may commit after those that replace them.
    @Test func installWaitsForWriters() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run("ALTER TABLE items ALTER id TYPE numeric")
            try await install(captured.rules, in: captured, while: "INSERT INTO items VALUES (1, 'a')")
            #expect(try await captured.changes() == ["any items", "insert items 1"])
        }
    }

    /// The old functions may leave out what new rules ask for: once those are installed, nobody may write by them.
    @Test func installOfOtherRulesWaitsForWriters() async throws {
        let tables = "CREATE TABLE items (id int PRIMARY KEY, name text, email text); INSERT INTO items VALUES (1)"
        let rules = "- {name: e, table: items, columns: [email], delete: {keys: ['e:{id}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            let newer = try RuleSet.items(rules + "\n" + Self.rules)
            try await install(newer, in: captured, while: "UPDATE items SET name = 'a'")
            #expect(try await captured.changes() == [])
            try await captured.expect("UPDATE items SET name = 'b'", ["update items 1 -> 1"])
            #expect(try await captured.install(newer) == [])
        }
    }

    /// Who writes to two tables in the other order than they are locked by is not ended for that.
    @Test func nobodyIsEndedByADeadlock() async throws {
        let tables = "CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE spares (id int PRIMARY KEY)"
        let rules = "- {name: i, table: items, on: [insert], delete: {keys: ['i:{id}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            let newer = try RuleSet.items(
                "- {name: i, table: items, delete: {keys: ['i:{id}']}}\n- {name: s, table: spares, delete: {keys: ['s:{id}']}}"
            )
            let writer = try await captured.database.connect()
            try await writer.run("BEGIN; INSERT INTO spares VALUES (1)")
            async let steps = captured.install(newer)
            try await eventually {
                try await captured.database.connect().lines(
                    "SELECT mode FROM pg_locks WHERE relation = 'spares'::regclass AND NOT granted"
                ) == ["ShareRowExclusiveLock"]
            }
            try await writer.run("INSERT INTO items VALUES (1); COMMIT")
            #expect(try await steps.isEmpty == false)
        }
    }

    /// Installs while somebody writes who has not committed, sees that it waits, and has that one commit.
    private func install(_ rules: RuleSet, in captured: Captured, while sql: String) async throws {
        let writer = try await captured.database.connect()
        try await writer.run("BEGIN; \(sql)")
        async let steps = captured.install(rules)
        try await eventually {
            try await captured.database.connect().lines(
                "SELECT mode FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
            ) == ["ShareRowExclusiveLock"]
        }
        try await writer.run("COMMIT")
        #expect(try await steps.isEmpty == false)
    }

    /// Tables that swap names have each other's triggers.
    @Test func tablesThatSwapNames() async throws {
        let tables = Self.tables + "; CREATE TABLE spares (LIKE items INCLUDING ALL)"
        let rules = Self.rules + "\n- {name: s, table: spares, columns: [name], delete: {keys: ['s:{id}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.owner.run(
                """
                ALTER TABLE items RENAME TO others; ALTER TABLE spares RENAME TO items;
                ALTER TABLE others RENAME TO spares
                """)
            try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["insert spares 1"])
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(problems.map(\.losesChanges) == Array(repeating: true, count: 8))
            #expect(
                problems.first?.reason == "trigger unstale_insert on public.items calls a function of another capture: "
                    + "run 'unstale install'")
            try await captured.install()
            try await captured.expect(
                "INSERT INTO items VALUES (2, 'b')", ["any items", "any spares", "insert items 2"])
            try await captured.expect("INSERT INTO spares VALUES (3, 'c')", ["insert spares 3"])
            #expect(try await captured.problems() == [])
            #expect(try await captured.install() == [])
        }
    }

    @Test func aTableThatIsGone() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run("DROP TABLE items")
            let state = try await CaptureState.read(captured.rules.rules, captured.owner)
            #expect(
                state.problems.map(\.reason) == [
                    "table public.items does not exist: restore it or change its rules"
                ])
            // Another of the same name has no triggers, and other rows.
            try await captured.owner.run(Self.tables)
            #expect(try await captured.problems().count == 4)
            let steps = try await captured.install()
            #expect(
                steps.contains("count every row of public.items as changed, for it was not fully captured"))
            #expect(steps.count { $0.hasPrefix("drop function") } == 4)
            try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["any items", "insert items 1"])
        }
    }

    @Test func rulesThatAreNewer() async throws {
        try await withItems { (captured) async throws in
            let newer = try RuleSet.items(
                Self.rules + "\n- {name: 'n', table: items, delete: {keys: ['n:{name}']}}")
            let problems = try await captured.problems(newer)
            #expect(problems == ["the capture of public.items does not know 'n': run 'unstale install'"])
            try await captured.install(newer)
            #expect(try await captured.problems(newer) == [])
            // Fewer rules are no problem.
            #expect(try await captured.problems() == [])
        }
    }

    @Test func aTableThatIsNotCaptured() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run("CREATE TABLE others (id int)")
            let others = try RuleSet.items("- {name: o, table: others, delete: {keys: ['o:{id}']}}")
            #expect(
                try await captured.problems(others) == [
                    "table public.others is not captured: run 'unstale install'"
                ])
        }
    }

    /// The trigger functions look names up nowhere but in `pg_catalog`, so a `where` is checked like that.
    @Test func aWhereThatOnlyWorksElsewhere() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run(
                "CREATE FUNCTION mine(text) RETURNS bool LANGUAGE sql AS 'SELECT true'")
            func rules(_ function: String) throws -> RuleSet {
                try .items(
                    "- {name: m, table: items, where: \(function)(new.name), delete: {keys: ['m:{id}']}}")
            }
            let error = try await failure { try await captured.install(rules("mine")) }
            #expect(
                "\(error)".contains("rules.yaml:3:")
                    && "\(error)".contains("'where': function mine(text) does not exist"), "\(error)")
            try await captured.install(rules("public.mine"))
            try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["insert items 1"])
            #expect(try await captured.owner.value("SHOW search_path") == "\"$user\", public")
        }
    }
}
