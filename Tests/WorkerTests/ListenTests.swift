import FoundationEssentials
import Glibc
import Postgres
import Rules
import TestSupport
import Testing

/// Changes that somebody else's triggers tell of, from NOTIFY to Redis.
@Suite struct ListenTests {
    private static let schema = """
        CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL DEFAULT '');
        INSERT INTO users SELECT generate_series(1, 200);
        CREATE TABLE badges (user_id text, label text); INSERT INTO badges VALUES ('3', 'gold');
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('table_changes', json_build_object('table', TG_TABLE_NAME, 'op', TG_OP,
                'old', CASE WHEN TG_OP <> 'INSERT' THEN row_to_json(OLD) END,
                'new', CASE WHEN TG_OP <> 'DELETE' THEN row_to_json(NEW) END)::text);
            RETURN NULL;
        END $$;
        CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell();
        CREATE TABLE orders (id text PRIMARY KEY);
        CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION tell();
        """

    private static let rules =
        Users.rules + """


              - name: badges
                table: users
                where: new.name like '%x'
                lookup: select b.label from badges b where b.user_id = :id
                delete: {keys: ["badge:{label}"]}
            """

    /// Lends a site whose users are listened to, with `user:1` to `user:200` cached, and the arguments that name its
    /// settings.
    private func site(
        gap: String = "ignore", _ body: (Site, _ settings: [String]) async throws -> Void
    ) async throws {
        let name = "listen-" + String(UInt64.random(in: 0 ... .max), radix: 36) + ".yaml"
        let path = try TestEnvironment.directory + "/" + name
        let text = """
            listen:
              - {channel: table_changes, tables: [users, orders], on_gap: \(gap)}
              - {channel: others, on_gap: ignore}

            """
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let settings = ["--config", path]
        try await Site.with(rules: Self.rules, schema: Self.schema, install: settings) { site, _ in
            try await site.cacheUsers()
            try await body(site, settings)
        }
    }

    @Test func keysOfChangedRows() async throws {
        try await site { site, settings in
            try await site.cache().set("badge:gold", "badge:silver")
            try await site.withWorker(settings) { worker in
                try await site.waitUntilListening()
                try await site.change(1...3)
                try await site.waitUntilGone(1...3)
                let cache = try await site.cache()
                try await eventually("the looked-up key is gone") { try await !cache.has("badge:gold") }
                try await site.connect().sql(
                    "UPDATE users SET id = 'seven' WHERE id = '7'; DELETE FROM users WHERE id = '8'")
                try await site.waitUntilGone(7...8)
                try await site.waitUntilServed()
                try await site.expectUntouched([4, 5, 6] + Array(9...200))
                #expect(try await cache.has("badge:silver"))
                #expect(try await site.status().degraded == [])
                #expect(worker.count("while nobody listens channel=table_changes") == 1)
            }
            // It is no secret that nothing else captures them.
            let check = try await site.unstale(["check"] + settings)
            #expect(check.contains("told by notifications, at most once: public.users"), "\(check)")
        }
    }

    /// What was not heard counts as any row, or as nothing, as it is told.
    @Test(arguments: ["any-row", "ignore"]) func aLostConnection(gap: String) async throws {
        try await site(gap: gap) { site, settings in
            // Nobody listens yet.
            try await site.change(1...1)
            try await site.withWorker(settings) { worker in
                try await site.waitUntilListening()
                if gap == "any-row" { try await site.waitUntilGone(1...200) }
                try await site.cacheUsers()
                let operatorSession = try await site.connect()
                #expect(try await operatorSession.value(Site.ears("count(pg_terminate_backend(pid))")) == "1")
                try await worker.wait(for: "Notifications are waited for")
                try await worker.wait(for: "notifications from before were not heard", count: 2)
                try await site.change(2...2)
                try await site.waitUntilGone(gap == "any-row" ? Array(1...200) : [2])
                try await site.waitUntilServed()
                if gap == "ignore" { try await site.expectUntouched([1] + Array(3...200)) }
                // The rest of the worker took no notice, and nothing is introduced twice.
                #expect(worker.count("] Serving") == 1)
                #expect(worker.count("while nobody listens channel=table_changes") == 1)
            }
        }
    }

    /// 5,000 notifications a second for four seconds: all keys go, by name, and soon.
    @Test(.timeLimit(.minutes(3))) func manyAtOnce() async throws {
        try await site { site, settings in
            let keys = (1...20_000).map { Key("user:n\($0)") }
            let cache = try await site.cache()
            try await cache.set(Dictionary(keys.map { ($0, "cached") }) { $1 })
            try await site.withWorker(settings) { worker in
                try await site.waitUntilListening()
                let sender = try await site.connect()
                let start = ContinuousClock.now
                for batch in 0..<400 {
                    try await sender.sql(
                        """
                        SELECT pg_notify('table_changes', json_build_object('table', 'users', 'op', 'DELETE', 'old',
                            json_build_object('id', 'n' || n, 'name', repeat('name ', 20)))::text)
                        FROM generate_series(\(batch * 50 + 1), \(batch * 50 + 50)) AS n
                        """)
                    // A rate is a rate by the clock.
                    try await Task.sleep(until: start + .milliseconds(10) * (batch + 1))
                }
                let sent = ContinuousClock.now
                // On a machine that is busy with other things, too.
                let deadline = sent + .seconds(20)
                for chunk in keys.chunked(by: 1_000) {
                    try await eventually(within: deadline - .now, "the keys are gone") {
                        try await !cache.hasAny(of: Array(chunk))
                    }
                }
                print("20,000 notifications in \(sent - start); their keys were gone \(.now - sent) later")
                let whole = try await sender.value("SELECT count(*) FROM unstale.outbox WHERE op = 'a'")
                #expect(whole == "0")
                try await site.expectUntouched(1...200)
                #expect(worker.count("] Serving") == 1)
            }
        }
    }

    /// Nothing that anybody sends ends it, or stops it from hearing the next.
    @Test func garbage() async throws {
        try await site { site, settings in
            try await site.withWorker(settings) { worker in
                try await site.waitUntilListening()
                let sender = try await site.connect()
                var random = SeededGenerator()
                let pieces = [
                    "{", "}", "\"table\":", "\"users\"", ",", "\"op\":", "\"U\"", "\"new\":", "{\"id\":1,\"name\":2}",
                    "null",
                    "\u{1b}[31m", "\n", "é", "\u{202e}", "\\", "[[[[", "1e400", "\"old\":",
                ]
                for _ in 1...500 {
                    let payload = (0..<Int.random(in: 0...12, using: &random))
                        .compactMap { _ in pieces.randomElement(using: &random) }.joined()
                    _ = try await sender.query(
                        "SELECT pg_notify('table_changes', $1)", [.text(payload)], doing: "testing")
                }
                let deep = String(repeating: "[", count: 3_900) + String(repeating: "]", count: 3_900)
                _ = try await sender.query(
                    "SELECT pg_notify('table_changes', $1)",
                    [.text("{\"table\":\"users\",\"op\":\"I\",\"new\":{\"name\":\"a\",\"id\":\(deep)}}")],
                    doing: "testing")
                try await worker.wait(for: "A notification can't be read")
                try await site.waitUntilAllIsHeard()
                try await site.waitUntilServed()
                try await site.cacheUsers()
                try await site.change(5...5)
                try await site.waitUntilGone([5])
                try await site.waitUntilServed()
                try await site.expectUntouched(Array(1...4) + Array(6...200))
                // Once a minute, and on one line; each channel for itself.
                let lines = worker.lines.filter {
                    $0.contains("A notification can't be read") && $0.contains("channel=table_changes")
                }
                #expect((1...2).contains(lines.count))
                try await sender.sql("NOTIFY others, '{'")
                try await worker.wait(for: "A notification can't be read channel=others")
                #expect(lines.allSatisfy { !$0.contains("\u{1b}") && !$0.contains("\u{202e}") })
                #expect(worker.count("] Serving") == 1)
                #expect(worker.count("Notifications are waited for") == 0)
            }
        }
    }

    /// Only the worker that leads listens; the next does when it leads, and what nobody heard is any row.
    @Test func theNextWorker() async throws {
        try await site(gap: "any-row") { site, settings in
            let first = try site.startWorker(settings)
            try await first.waitUntilServing()
            try await site.waitUntilListening()
            try await site.withWorker(settings, isServing: false) { second in
                try await second.wait(for: "Standing by")
                #expect(try await site.connect().value(Site.ears("count(*)")) == "1")
                try await site.waitUntilGone(1...200)
                try await site.cacheUsers()
                try await first.kill9()
                try await site.change(9...9)
                try await second.waitUntilServing()
                try await site.waitUntilGone(1...200)
            }
        }
    }

    /// Newer rules are heard for under the same lead.
    @Test func newerRules() async throws {
        try await site { site, settings in
            try await site.withWorker(settings) { worker in
                try await site.waitUntilListening()
                let newer = Self.rules + "\n  - {name: names, table: users, delete: {keys: ['name:{name}']}}\n"
                try site.write(rules: newer)
                try await site.unstale(["install"] + settings)
                worker.signal(SIGHUP)
                try await worker.wait(for: "The rules were read anew")
                try await site.cache().set("name:x", "name:y")
                try await site.change(11...11)
                let cache = try await site.cache()
                try await eventually { try await !cache.has("name:x") }
                try await site.waitUntilGone([11])
                #expect(try await cache.has("name:y"))
                #expect(worker.count("notifications from before were not heard") == 1)
            }
        }
    }

    /// Nothing is stale of a table that rules name for the first time, whenever it has changed since they were installed.
    @Test func aNewTable() async throws {
        try await site(gap: "any-row") { site, settings in
            try await site.withWorker(settings) { worker in
                try await site.waitUntilListening()
                let newer = Self.rules + "\n  - {name: orders, table: orders, delete: {keys: ['order:{id}']}}\n"
                try site.write(rules: newer)
                try await site.unstale(["install"] + settings)
                let cache = try await site.cache()
                try await cache.set("order:1", "order:2")
                let application = try await site.connect()
                try await application.sql("INSERT INTO orders VALUES ('1')")
                worker.signal(SIGHUP)
                try await worker.wait(for: "The rules were read anew")
                try await application.sql("INSERT INTO orders VALUES ('2')")
                try await eventually { try await !cache.hasAny(of: ["order:1", "order:2"].map(Key.init)) }
            }
        }
    }
}

extension Site {
    /// Asks about the sessions that listen in this database.
    fileprivate static func ears(_ what: String) -> String {
        """
        SELECT \(what) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'
            AND query LIKE 'LISTEN %unstale_probe%'
        """
    }

    /// Waits until all that was sent is in the outbox: what was heard before a row is written no later, and a row for
    /// itself only where no any-row waits.
    fileprivate func waitUntilAllIsHeard() async throws {
        let connection = try await connect()
        try await eventually("a row") {
            try await connection.value(
                """
                SELECT pg_notify('table_changes', '{"table":"users","op":"D","old":{"id":"last","name":""}}');
                SELECT EXISTS (SELECT FROM unstale.outbox WHERE 'last' = ANY (old))
                """) == "t"
        }
    }

    /// Waits until somebody listens: what is sent from then on is heard.
    fileprivate func waitUntilListening() async throws {
        let connection = try await connect()
        try await eventually("LISTEN") { try await connection.value(Self.ears("count(*)")) == "1" }
    }
}
