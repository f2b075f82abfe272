import Postgres
import Rules
import TestSupport
import Testing

@testable import Capture

/// What notifications tell becomes records, by a real server.
@Suite(.timeLimit(.minutes(3))) struct ListenTests {
    private static let settings = CaptureSettings(listen: [ListenChannel(name: "changes", onGap: .ignore)])
    private static let items = "CREATE TABLE items (id int PRIMARY KEY, name text, price numeric, note text)"

    private func heard(
        _ tables: String = items, rules: String, settings: CaptureSettings = settings,
        _ body: (Captured) async throws -> Void
    ) async throws {
        try await Captured.with(tables, rules: rules, settings: settings) { captured in
            try await captured.owner.script(ForeignTriggers.on("items"), doing: "the test's SQL")
            try await captured.listening { try await body(captured) }
        }
    }

    /// Conditions are what they are in triggers of ours.
    @Test func rowsAndConditions() async throws {
        let rules = """
            - {name: by-id, table: items, columns: [name], delete: {keys: ['i:{id}']}}
            - {name: dear, table: items, on: [insert, update], where: new.price > 100, delete: {keys: ['d:{id}']}}
            """
        try await heard(rules: rules) { captured in
            #expect(try await captured.problems() == [])
            try await captured.expectHeard("INSERT INTO items VALUES (1, 'a', 1, 'x')", ["insert items 1"])
            try await captured.expectHeard("UPDATE items SET name = 'b'", ["update items 1"])
            try await captured.expectHeard(
                """
                UPDATE items SET note = 'no rule asks for it'; UPDATE items SET price = 101;
                """, ["update items 1"])
            try await captured.expectHeard("UPDATE items SET id = 2, name = 'c'", ["update items 1 -> 2"])
            try await captured.expectHeard("DELETE FROM items", ["delete items 2"])
            // What no rule asks for is not written at all; the same twice is once.
            try await captured.expectHeard(
                """
                BEGIN; INSERT INTO items VALUES (3, 'a', 1, 'x'); UPDATE items SET note = 'y'; UPDATE items SET name = 'b';
                UPDATE items SET name = 'c'; COMMIT
                """, ["insert items 3", "update items 3"])
        }
    }

    /// Bits say which rules, as in `Captured.firings`.
    @Test func whichRules() async throws {
        let rules = """
            - {name: name, table: items, 'on': [update], columns: [name], delete: {keys: ['n:{id}']}}
            - {name: price, table: items, 'on': [update], columns: [price], delete: {keys: ['p:{id}']}}
            - {name: gone, table: items, 'on': [delete], where: old.price > 1, delete: {keys: ['g:{id}']}}
            """
        try await heard(rules: rules) { captured in
            try await captured.owner.run("INSERT INTO items VALUES (1, 'a', 1, 'x')")
            #expect(try await captured.firingsHeard("UPDATE items SET name = 'b'") == ["update: name"])
            // 1 and 1.0 are equal and read differently.
            #expect(try await captured.firingsHeard("UPDATE items SET price = 1.0") == ["update: price"])
            #expect(
                try await captured.firingsHeard("UPDATE items SET price = 2, name = 'c'") == ["update: name, price"])
            #expect(try await captured.firingsHeard("DELETE FROM items") == ["delete: gone"])
        }
    }

    /// The texts are those that our own triggers record, however the sender's session writes values.
    @Test(arguments: [
        "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German, DMY'; SET bytea_output = escape",
        "SET TimeZone = 'America/St_Johns'; SET DateStyle = 'SQL, MDY'; SET IntervalStyle = iso_8601",
    ]) func types(session: String) async throws {
        let tables = """
            DO $$ BEGIN
                EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Kolkata''', current_database());
                EXECUTE format('ALTER DATABASE %I SET DateStyle = ''SQL, DMY''', current_database());
                EXECUTE format('ALTER DATABASE %I SET IntervalStyle = iso_8601', current_database());
                EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database());
                EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database());
            END $$;
            CREATE TYPE mood AS ENUM ('so so', 'Fine'); CREATE TYPE pair AS (a int, "B" text);
            CREATE DOMAIN short AS text CHECK (length(value) < 9);
            CREATE TABLE items (id int PRIMARY KEY, at timestamptz, local timestamp, day date, span interval, amount numeric,
                huge bigint, real float8, raw bytea, flag boolean, words text[], grid int[], mood mood, pair pair, pairs pair[],
                short short, j json, b jsonb, u uuid, net inet, r int4range, c char(5), "Mixed Case" varchar(9))
            """
        let values = """
            '2026-03-01 12:00:00.25+00', '2026-03-01 12:00:00', '2026-03-01', '1 mon 2 days 03:04:05', 12345678901234567890.1200,
            9007199254740993, 0.1, '\\xDEAD00', true, '{a,"b,c",NULL,"\\""}', '{{1,2},{3,4}}', 'so so', '(1,"x y")',
            '{"(1,a)","(2,)"}', 'short', '{"a" : 1.0, "a": 2}', '{"b": [1.50, null]}',
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', '[1,5)', 'ab', 'Ünï" \\ x'
            """
        let template = """
            k:{id}{at}{local}{day}{span}{amount}{huge}{real}{raw}{flag}{words}{grid}{mood}{pair}{pairs}{short}{j}{b}{u}{net}{r}{c}{Mixed Case}
            """
        let rules = "- {name: r, table: items, delete: {keys: ['\(template)']}}"
        let statements = [
            "INSERT INTO items VALUES (1, \(values))", "INSERT INTO items (id) VALUES (2)",
            "UPDATE items SET id = id + 10 WHERE id = 1",
            "UPDATE items SET raw = NULL, at = at + '1 day', words = '{}' WHERE id = 11",
            "DELETE FROM items WHERE id = 11",
        ]
        var captured: [[String]] = []
        try await Captured.with(tables, rules: rules) { own in
            try await own.owner.run(session)
            for statement in statements { captured.append(try await own.changes(of: statement)) }
        }
        #expect(captured.allSatisfy { $0.count == 1 })
        try await heard(tables, rules: rules) { foreign in
            let sender = try await foreign.database.connect()
            try await sender.run(session)
            for (statement, expected) in zip(statements, captured) {
                try await foreign.expectHeard(statement, expected, by: sender)
            }
        }
    }

    /// Many triggers tell the new row alone. Of such an update nobody knows what it changed.
    @Test func updatesWithoutTheOldRow() async throws {
        let rules = """
            - {name: name, table: items, columns: [name], delete: {keys: ['n:{id}']}}
            - {name: dear, table: items, where: new.price > 100, delete: {keys: ['d:{id}']}}
            """
        try await heard(rules: rules) { captured in
            func update(_ row: String) -> String {
                "SELECT pg_notify('changes', '{\"table\":\"items\",\"op\":\"U\",\"new\":\(row)}')"
            }
            try await captured.expectHeard(update("{\"id\":1,\"price\":1}"), ["update items 1"])
            #expect(try await captured.firingsHeard(update("{\"id\":1,\"price\":1}")) == ["update: name"])
            #expect(try await captured.firingsHeard(update("{\"id\":1,\"price\":101}")) == ["update: name, dear"])
            try await captured.expectHeard(update("{\"price\":101}"), ["any items"])
        }
    }

    /// A worker that sleeps is rung for, as by our own triggers.
    @Test func aSleepingWorkerIsWoken() async throws {
        try await heard(rules: "- {name: r, table: items, delete: {keys: ['i:{id}']}}") { captured in
            let sleeper = try await captured.database.connect()
            try await sleeper.run("LISTEN unstale; SELECT pg_advisory_lock(\(AdvisoryLock.doorbell.arguments))")
            for sql in ["INSERT INTO items VALUES (1)", "NOTIFY changes, 'items'"] {
                try await captured.owner.run(sql)
                #expect(try await sleeper.waitForNotification(within: .seconds(20)), "\(sql)")
            }
        }
    }

    /// Quoted names, a schema of its own, a partition's trigger.
    @Test func names() async throws {
        let tables = """
            CREATE SCHEMA "Crm"; CREATE TABLE "Crm"."My ""Table" (id int PRIMARY KEY, "eMail" text) PARTITION BY RANGE (id);
            CREATE TABLE "Crm".part PARTITION OF "Crm"."My ""Table" FOR VALUES FROM (0) TO (9);
            """
        let rules = """
            - {name: r, table: 'Crm.My "Table', where: "new.\\"eMail\\" is not null", delete: {keys: ['m:{eMail}']}}
            """
        try await Captured.with(tables, rules: rules, settings: Self.settings) { captured in
            try await captured.owner.run(ForeignTriggers.on("\"Crm\".\"My \"\"Table\""))
            try await captured.listening {
                try await captured.expectHeard(
                    "INSERT INTO \"Crm\".\"My \"\"Table\" VALUES (1, 'a'), (2, NULL)", ["insert Crm.My \"Table a"])
                try await captured.expectHeard(
                    "SELECT pg_notify('changes', '\"Crm\".\"My \"\"Table\"'::regclass::text)", ["any Crm.My \"Table"])
            }
        }
    }

    /// What Postgres can't read is found among what it can, and counts as any row.
    @Test func valuesThatCantBeRead() async throws {
        try await heard(rules: "- {name: r, table: items, delete: {keys: ['i:{id}']}}") { captured in
            let rows = (1...50).map { id in
                "SELECT pg_notify('changes', '{\"table\":\"items\",\"op\":\"I\",\"new\":{\"id\":\(id == 23 ? "\"x\"" : "\(id)")}}')"
            }
            try await captured.expectHeard("BEGIN; \(rows.joined(separator: "; ")); COMMIT", among: "any items")
            _ = try await captured.changes()
            for bad in ["1e999", "[1]", "{}", "tru", "\"\\u0000\"", "12345678901"] {
                try await captured.expectHeard(
                    "SELECT pg_notify('changes', '{\"table\":\"items\",\"op\":\"I\",\"new\":{\"id\":\(bad)}}')",
                    ["any items"])
            }
            // All is as before.
            try await captured.expectHeard("INSERT INTO items VALUES (99)", ["insert items 99"])
            #expect(try await captured.lastFailures() == [""])
        }
    }

    /// It takes few statements to name a culprit; whatever else is in the rows behind it, any row counts anyway.
    @Test func theFirstThatCantBeRead() async throws {
        let rules = "- {name: r, table: items, delete: {keys: ['i:{id}']}}"
        try await Captured.with(Self.items, rules: rules, settings: Self.settings) { captured in
            let tables = try await ListenedTables.read(
                Self.settings.listen, named: Set(captured.rules.tables), captured.owner)
            let reader = try #require(tables.readers["changes"])
            let rows = (1...50).flatMap { id in
                let value = id == 23 || id == 40 ? "\"x\"" : "\(id)"
                return reader.read(Array("{\"table\":\"items\",\"op\":\"I\",\"new\":{\"id\":\(value)}}".utf8))
            }.compactMap { heard in
                if case .row(let row) = heard { row } else { nil }
            }
            let table = try #require(tables.captured.values.first)
            let outcome = try await ListenWriter(connection: captured.owner).write(rows, of: table)
            guard case .unreadable(let row) = outcome else { throw TestError("\(outcome)") }
            #expect(row.payload == rows[22].payload)
            #expect(try await captured.changes() == (1...22).map { "insert items \($0)" }.sorted())
        }
    }

    /// As with a trigger that fails: any row, and why.
    @Test func aConditionThatIsBrokenSince() async throws {
        let tables = Self.items + "; CREATE FUNCTION public.fine(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
        let rules = "- {name: r, table: items, where: public.fine(new.name), delete: {keys: ['i:{id}']}}"
        try await heard(tables, rules: rules) { captured in
            try await captured.expectHeard("INSERT INTO items VALUES (1, 'a')", ["insert items 1"])
            try await captured.expectHeard(
                "DROP FUNCTION public.fine(text); INSERT INTO items VALUES (2, 'a')", ["any items"])
            #expect(try await captured.lastFailures().first?.contains("fine") == true)
            // Not for each of them anew: a statement that is refused is not tried again and again.
            let start = ContinuousClock.now
            for id in 3...300 { try await captured.owner.run("INSERT INTO items VALUES (\(id), 'a')") }
            let records = try await captured.owner.value("SELECT count(*) FROM unstale.outbox WHERE op = 'a'")
            #expect(Int(records ?? "").map { Duration.seconds($0 - 2) <= .now - start } == true, "\(records ?? "")")
            try await captured.expectHeard("SELECT", among: "any items")
        }
    }

    /// Nobody who sends needs a right on anything of ours.
    @Test func sendersWithoutRights() async throws {
        try await TestRole.with { role in
            try await heard(rules: "- {name: r, table: items, delete: {keys: ['i:{id}']}}") { captured in
                try await captured.owner.run(
                    """
                    ALTER TABLE items ENABLE ROW LEVEL SECURITY;
                    CREATE POLICY own ON items TO \(role) USING (id <> 2) WITH CHECK (true);
                    GRANT INSERT, SELECT, UPDATE ON items TO \(role)
                    """)
                let sender = try await captured.database.connect(as: role)
                try await sender.run("SET search_path = pg_temp; SET row_security = on")
                try await captured.expectHeard(
                    "INSERT INTO public.items VALUES (1, 'a'), (2, 'b')", ["insert items 1", "insert items 2"],
                    by: sender)
                try await captured.expectHeard(
                    "UPDATE public.items SET id = id + 5", ["update items 1 -> 6"], by: sender)
            }
        }
    }

    /// The worker's role needs no more than install grants it.
    @Test func theWorkersRole() async throws {
        try await TestRole.with { role in
            let tables = "CREATE SCHEMA crm; CREATE TABLE crm.items (id int PRIMARY KEY)"
            try await Captured.with(
                tables, rules: "- {name: r, table: crm.items, delete: {keys: ['i:{id}']}}", settings: Self.settings
            ) { captured in
                let steps = try await captured.install(workerRole: role)
                #expect(steps.contains { $0.contains("USAGE ON SCHEMA \"crm\"") })
                #expect(try await captured.install(workerRole: role) == [])
                let named = Set(captured.rules.tables)
                let url = captured.database.url.replacing("//postgres@", with: "//\(role)@")
                let listener = Listener(
                    Self.settings.listen, postgres: PostgresSettings(connection: url), pace: .milliseconds(5),
                    checkInterval: .seconds(15), logger: .init(label: "test"), tables: { named })
                let listening = Task { try await listener.listen() }
                defer { listening.cancel() }
                var heard: [String] = []
                try await eventually {
                    // Until somebody listens.
                    try await captured.owner.run(
                        "SELECT pg_notify('changes', '{\"table\":\"crm.items\",\"op\":\"D\",\"old\":{\"id\":7}}')")
                    heard += try await captured.changes()
                    return heard.first == "delete crm.items 7"
                }
            }
        }
    }
}
