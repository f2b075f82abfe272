import Rules
import TestSupport
import Testing

/// Entries that are loaded by a query.
@Suite struct RewarmTests {
    @Test func whatIsCachedIsLoaded() async throws {
        try await Site.withItems { site, _ in
            try await site.withWorker { _ in
                let application = try await site.connect()
                try await application.sql("UPDATE items SET price = 2.50 WHERE id IN (1, 2, 150)")
                try await site.wait(for: "item:1", toBe: #"{"id":1,"name":"item 1","price":2.50}"#)
                try await site.wait(for: "item:2", toBe: #"{"id":2,"name":"item 2","price":2.50}"#)
                try await site.waitUntilServed()
                #expect(try await !site.cache().has("item:150"))
                guard case .integer(let ttl) = try await site.cache().send("PTTL", "item:1") else {
                    throw TestError("no PTTL")
                }
                #expect((3_590_000...3_600_000).contains(ttl))
                // The row moves: the entry of its old key has no row any more.
                try await application.sql("UPDATE items SET id = 1001 WHERE id = 1; DELETE FROM items WHERE id = 2")
                try await site.wait(for: "item:1", toBe: nil)
                try await site.wait(for: "item:2", toBe: nil)
                try await site.waitUntilServed()
                let entries = try await site.cache().entries()
                #expect((3...100).allSatisfy { entries[Key("item:\($0)")] == "old" })
                #expect(try await !site.cache().has("item:1001"))
                #expect(!entries.keys.contains { $0.description.hasPrefix("unstale:load:") })
                let counts = try await site.rewarms()
                #expect(counts["stored"] == 2 && counts["absent"] == 2 && counts["cold"] == 2)
            }
        }
    }

    /// Of each type its text, of bytea its bytes; null, and no row, delete.
    @Test(
        arguments: [
            ("'Grüße'::text", "Grüße"), ("1.50::numeric", "1.50"), ("true", "true"),
            (#"'{"a": [1]}'::jsonb"#, #"{"a": [1]}"#),
            ("'2026-11-21 10:00:00+02'::timestamptz", "2026-11-21 08:00:00+00"), (#"'\x00ff41'::bytea"#, "\\x00ff41"),
            ("''::text", ""), ("null", nil), ("null::bytea", nil), ("1 where false", nil),
            ("i.name, i.id from items i where i.id = :id", "item 1"), ("array[1, null]", "{1,NULL}"),
        ] as [(String, String?)])
    func values(sql: String, value: String?) async throws {
        let rules = Items.rules(
            "ttl: 1m, sql: \"select \(sql.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"")
        try await Site.withItems(rules: rules) { site, _ in
            try await site.withWorker { _ in
                try await site.connect().sql("UPDATE items SET name = name WHERE id = 1")
                try await site.connect().sql("UPDATE items SET price = 7 WHERE id = 1")
                if let value, value.hasPrefix("\\x") {
                    let bytes: [UInt8] = [0x00, 0xFF, 0x41]
                    let cache = try await site.cache()
                    try await eventually("bytes") { try await cache.send("GET", "item:1") == .bulk(bytes) }
                } else {
                    try await site.wait(for: "item:1", toBe: value)
                }
            }
        }
    }

    /// What a row has never becomes SQL.
    @Test func parametersAreBound() async throws {
        let rules = """
            version: 1
            rules:
              - name: item
                table: items
                rewarm: [{key: "item:{name}", sql: "select 'is ' || :name || :price", ttl: 1h}]
            """
        try await Site.withItems(rules: rules) { site, _ in
            try await site.withWorker { _ in
                let name = "'; DROP TABLE items; --"
                try await site.connect().sql("UPDATE items SET name = $$\(name)$$ WHERE id = 1")
                try await site.wait(for: "item:\(name)", toBe: "is \(name)1.00")
                // What a row has left is not loaded by what isn't in the key.
                try await site.wait(for: "item:item 1", toBe: nil)
                try await site.connect().sql("UPDATE items SET name = null WHERE id = 2")
                try await site.waitUntilServed()
                #expect(try await site.connect().value("SELECT count(*) FROM items") == "200")
            }
        }
    }

    /// A loader's parameter that a lookup returns has the type of its column there.
    @Test func afterALookup() async throws {
        let rules = """
            version: 1
            rules:
              - name: line
                table: lines
                lookup: select i.id as item, i.price from items i where i.id = :item_id
                rewarm:
                  - key: "item:{item}"
                    sql: select :new.note || sum(l.amount) from lines l where l.item_id = :item and :price > 0.5
                    ttl: 1h
            """
        let schema = """
            CREATE TABLE lines (id int PRIMARY KEY, item_id int, amount int, note text DEFAULT 'sum ');
            INSERT INTO lines SELECT n, n / 10 + 1, 1 FROM generate_series(1, 99) AS n
            """
        try await Site.withItems(rules: rules, schema: schema) { site, _ in
            try await site.withWorker { _ in
                try await site.connect().sql("UPDATE lines SET amount = 5 WHERE id = 42")
                try await site.wait(for: "item:5", toBe: "sum 14")
                // The new row has no place in what a deleted one asks for, so the entry goes.
                try await site.connect().sql("DELETE FROM lines WHERE id = 42")
                try await site.wait(for: "item:5", toBe: nil)
            }
        }
    }

    /// A cast to `character` or to `bit` without a length would cut a lookup's value to its first character.
    @Test func aLookupsValueIsBoundWhole() async throws {
        let rules = """
            version: 1
            rules:
              - name: line
                table: lines
                lookup: select c.code, c.flags from codes c where c.item_id = :item_id
                rewarm:
                  - key: "item:{code}"
                    sql: select c.label || :flags::text from codes c where c.code = :code
                    ttl: 1h
            """
        let schema = """
            CREATE TABLE codes (item_id int PRIMARY KEY, code char(4), flags bit(3), label text);
            INSERT INTO codes VALUES (1, 'A', '111', 'wrong '), (2, 'ABCD', '101', 'right ');
            CREATE TABLE lines (id int PRIMARY KEY, item_id int);
            INSERT INTO lines VALUES (1, 2)
            """
        try await Site.withItems(rules: rules, schema: schema) { site, _ in
            try await site.withWorker { _ in
                try await site.connect().sql("UPDATE lines SET id = 2")
                try await site.wait(for: "item:ABCD", toBe: "right 101")
            }
        }
    }

    @Test(arguments: [
        ("allkeys-lru", "max_idle: 1h", true), ("allkeys-lru", "max_idle: 1s", false),
        ("allkeys-lfu", "min_frequency: 1", true), ("allkeys-lfu", "min_frequency: 200", false),
    ])
    func hot(policy: String, threshold: String, isHot: Bool) async throws {
        let rules = Items.rules("ttl: 1h, sql: select 'new', when: hot, \(threshold)")
        try await Site.withItems(rules: rules, redis: ["--maxmemory-policy", policy]) { site, _ in
            let cache = try await site.cache()
            if policy == "allkeys-lru", !isHot {
                try await eventually("idle") {
                    guard case .integer(let idle) = try await cache.send("OBJECT", "IDLETIME", "item:1") else {
                        return false
                    }
                    return idle > 1
                }
            }
            try await site.withWorker { _ in
                try await site.connect().sql("UPDATE items SET price = 3 WHERE id IN (1, 150)")
                // Not by GET, which would make it hot.
                try await site.waitUntilServed()
                #expect(try await cache.has("item:1") == isHot)
                if isHot { try await site.wait(for: "item:1", toBe: "new") }
                #expect(try await !cache.has("item:150"))
            }
        }
    }

    /// A setting that a query makes is over with it: others find the session as it was.
    @Test func queriesLeaveNothingInTheSession() async throws {
        let query =
            "select coalesce(current_setting('my.seen', true), '') || set_config('my.seen', 'x', false)"
            + " || set_config('default_transaction_read_only', 'off', false) || set_config('search_path', 'a', false)"
            + " || :price"
        try await Site.withItems(rules: Items.rules("sql: \"\(query)\", ttl: 1h")) { site, _ in
            try await site.withWorker { _ in
                for price in 2...4 {
                    try await site.connect().sql("UPDATE items SET price = \(price) WHERE id = 1")
                    try await site.wait(for: "item:1", toBe: "xoffa\(price).00")
                }
            }
        }
    }

    /// Behind a pooler, for which polling is meant, the next query finds another session, and there what some other
    /// rule has prepared under the same name.
    @Test(arguments: [("notify", "1"), ("poll", "0")])
    func statementsAreKeptInSessionsOfTheirOwn(wake: String, count: String) async throws {
        let rules = Items.rules("sql: select count(*) from pg_prepared_statements, ttl: 1h")
        try await Site.with(rules: rules, schema: Items.schema, install: ["--wake", wake]) { site, _ in
            try await site.withWorker { _ in
                try await site.connect().sql("UPDATE items SET price = 2 WHERE id = 1")
                try await site.wait(for: "item:1", toBe: count)
            }
        }
    }

    /// TRUNCATE tells of no row, so everything goes.
    @Test func anyRow() async throws {
        try await Site.withItems { site, _ in
            try await site.withWorker { _ in
                try await site.connect().sql("TRUNCATE items")
                for id in 1...100 { try await site.wait(for: "item:\(id)", toBe: nil) }
            }
        }
    }

    @Test func overBudget() async throws {
        let rules = Items.rules(
            "ttl: 1h, sql: \"select 'new' || :id\", when: exists, queue: 10, rate: 1, concurrency: 1")
        try await Site.withItems(rules: rules) { site, _ in
            try await site.withWorker { _ in
                try await site.connect().sql("UPDATE items SET price = 3 WHERE id <= 100")
                try await site.waitUntilServed()
                let entries = try await site.cache().entries().filter { $0.key.description.hasPrefix("item:") }
                #expect(entries.count == 10)
                #expect(entries.values.allSatisfy { $0.hasPrefix("new") })
                let counts = try await site.rewarms()
                #expect(counts["stored"] == 10 && counts["overBudget"] == 90)
            }
        }
    }
}
