import FoundationEssentials
import TestSupport
import Testing

/// `coverage`: which keys and tables the rules leave out.
@Suite struct CoverageTests {
    private static let rules = """
        version: 1
        rules:
          - name: user
            table: users
            delete:
              keys: ["user:{id}", "by-email:{email|lower}"]
              patterns: ["users:{id}:*"]
          - name: line
            table: lines
            lookup: select o.number from numbers o where o.id = :order_id
            delete: {keys: ["order:{number}"]}
          - name: event
            table: events
            rewarm: [{key: "event:{id}", sql: "select count(*) from visits where id = :id", ttl: 1h}]
        """

    private static let tables = """
        CREATE VIEW numbers AS SELECT * FROM orders;
        CREATE TABLE carts (id int); CREATE TABLE visits (id int); CREATE TABLE "odd\u{1b}[2J" (id int);
        CREATE TABLE nothing (id int);
        CREATE TABLE events (id int) PARTITION BY LIST (id);
        CREATE TABLE events_old PARTITION OF events FOR VALUES IN (1);
        CREATE TABLE hits (id int) PARTITION BY LIST (id);
        CREATE TABLE hits_old PARTITION OF hits FOR VALUES IN (1);
        CREATE TABLE hits_new PARTITION OF hits FOR VALUES IN (2);
        INSERT INTO carts SELECT FROM generate_series(1, 1200); UPDATE carts SET id = 1; DELETE FROM carts;
        INSERT INTO events VALUES (1); INSERT INTO hits VALUES (1), (2), (2);
        INSERT INTO "odd\u{1b}[2J" VALUES (1);
        """

    /// As the worker's role, before a Redis that allows nothing but SCAN: the worker's rights are enough.
    @Test func report() async throws {
        try await withShop { shop, redis in
            let role = "coverage_" + shop.database.name
            try await shop.database.psql(
                "CREATE ROLE \(role) LOGIN; REVOKE TEMPORARY ON DATABASE \(shop.database.name) FROM PUBLIC")
            try await shop.succeed("install", "--worker-role", role)
            try await redis.cli("acl", "setuser", "reader", "on", ">secret", "~*", "+scan")
            for (key, count) in [("user:", 3), ("cart:", 12), ("users:1:", 2), ("unstale:fence:user:", 5)] {
                for number in 1...count { try await redis.cli("set", "\(key)\(number)", "") }
            }
            try await redis.cli("mset", "order:A-1", "", "session:3f2a9c1de0aa", "", "lock", "")
            let environment = [
                "UNSTALE_DATABASE_URL": shop.database.url.replacing("postgres@", with: "\(role)@"),
                "UNSTALE_REDIS_URL": "redis://reader:secret@127.0.0.1:\(redis.port)",
            ]
            try await written(shop)
            let output = try await shop.succeed("coverage", environment: environment)
            #expect(
                output.replacing(shop.folder, with: "") == """
                    keys: 20
                    14 of them no rule can touch:
                        12  cart:{n}        as in cart:1
                         1  lock            as in lock
                         1  session:{hash}  as in session:3f2a9c1de0aa
                    templates that match no key:
                        user (/rules.yaml:3:5): by-email:{email|lower}
                        event (/rules.yaml:12:5): event:{id}
                    tables that are written to and that no rule names, with their writes:
                        3,600  public.carts
                            3  public.hits
                            1  public.odd\\u{1B}[2J
                    tables that lookups or loaders read and that no rule names: a change of theirs makes no key stale
                        2  public.orders  read by line
                        0  public.visits  read by event

                    """)
            try await shop.succeed("uninstall")
            try await shop.database.psql("DROP ROLE \(role)")
        }
    }

    /// A Redis with nothing in it, and a database without the capture.
    @Test func nothing() async throws {
        try await withShop { shop, redis in
            try await written(shop)
            let output = try await shop.succeed("coverage")
            #expect(
                output.hasPrefix("keys: there are none\ntables that are written to and that no rule names"), "\(output)"
            )
            try await redis.cli("set", "unstale:fence:user:1", "x")
            #expect(try await shop.succeed("coverage").hasPrefix("keys: there are none\n"))
        }
        try await withShop(
            tables: "", rules: "version: 1\nrules: [{name: u, table: users, delete: {keys: ['u:{id}']}}]"
        ) {
            (shop, redis) async throws in
            try await redis.cli("set", "u:1", "")
            try await eventually("the statistics") {
                try await shop.succeed("coverage").contains("public.orders")
            }
            try await shop.database.psql("SELECT pg_stat_reset()")
            #expect(
                try await shop.succeed("coverage") == """
                    keys: 1
                    each of them can be touched by a rule
                    each table that is written to is named or read by a rule

                    """)
        }
    }

    @Test func sample() async throws {
        try await withShop { shop, redis in
            try await redis.cli("debug", "populate", "5000", "page")
            let some = try await shop.succeed("coverage", "--sample", "100")
            #expect(
                some.hasPrefix("keys: 100 of 5,000, a sample; --all looks at all\n100 of them no rule can touch:\n"),
                "\(some)")
            #expect(some.contains("\n    100  page:{n}  as in page:"))
            #expect(some.contains("templates that match no key in the sample:"))
            for arguments in [["coverage"], ["coverage", "--all"], ["coverage", "--sample", "5000"]] {
                let program = try Program(arguments, environment: shop.environment)
                #expect(try await program.end() == 0)
                #expect(program.output.hasPrefix("keys: 5,000\n5,000 of them"), "\(arguments): \(program.output)")
                #expect(program.lines == [], "where no terminal is there is no progress bar")
            }
        }
    }

    /// More than a few, of many shapes, while keys come and go: SCAN returns some twice when a table shrinks.
    @Test(.timeLimit(.minutes(3))) func manyKeys() async throws {
        try await withShop { shop, redis in
            try await redis.cli("debug", "populate", "100000", "page")
            let text = """
                for i = 1, 20000 do redis.call('set', 'u:' .. i .. ':' .. (i % 3 == 0 and 'cart' or 'name'), '')
                redis.call('set', 'w' .. redis.sha1hex(i), '') end
                """
            try await redis.cli("eval", text, "0")
            let report = try await report(shop, "--all")
            #expect(report.keys.examined == 140_000 && report.keys.isExact && !report.keys.isSample)
            #expect(report.keys.inRedis == 140_000)
            let families = report.families.map { "\($0.keys) \($0.shape)" }
            #expect(
                families.prefix(2) == ["100000 page:{n}", "20000 w*"] || families.contains("100000 page:{n}"),
                "\(families)")
            #expect(families.contains("6666 u:{n}:cart") && families.contains("13334 u:{n}:name"), "\(families)")
            #expect(report.families.reduce(0) { $0 + $1.keys } == 140_000)
        }
    }

    /// Nothing that stands in keys reaches the terminal as it is.
    @Test func hostileKeys() async throws {
        try await withShop { shop, redis in
            let text = """
                redis.call('mset', 'a:\\nkeys: 0', '', 'b:\\27[2J', '', 'c:\\255\\254:1', '', '', '', 'd:\\226\\128\\168', '',
                    'e:' .. string.rep('e', 100000), '')
                """
            try await redis.cli("eval", text, "0")
            let output = try await shop.succeed("coverage")
            #expect(output.hasPrefix("keys: 6\n6 of them no rule can touch:\n"), "\(output)")
            #expect(output.contains("as in a:\\nkeys: 0\n") && output.contains("as in b:\\u{1B}[2J\n"), "\(output)")
            #expect(output.contains("as in c:\\xff\\xfe:1\n"), "\(output)")
            #expect(!output.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control })
            #expect(!output.unicodeScalars.contains("\u{2028}"))
            #expect(output.split(separator: "\n").allSatisfy { $0.count < 200 })
            #expect(output.contains("1  the empty key\n"))
            let report = try await report(shop)
            #expect(report.families.count == 6 && report.keys.touched == 0)
        }
    }

    /// What can't be asked: one line, and the exit code that tells whose fault it is.
    @Test func refused() async throws {
        try await withShop { shop, redis in
            try await redis.cli("acl", "setuser", "blind", "on", ">secret", "~*", "+get")
            let blind = try await shop.unstale(
                "coverage", "--redis-url", "redis://blind:secret@127.0.0.1:\(redis.port)")
            #expect(blind.code == 69 && blind.output == "")
            #expect(blind.errors.count == 1 && blind.errors.joined().contains("SCAN"), "\(blind.errors)")
            let down = try await shop.unstale("coverage", "--redis-url", "redis://127.0.0.1:1")
            #expect(down.code == 69 && down.output == "")
            #expect(down.errors == ["unstale: connecting to redis://127.0.0.1:1/0: connection refused"])
            // A lookup that the server refuses hides nothing else.
            try await shop.database.psql("DROP VIEW numbers")
            let outcome = try await shop.unstale("coverage")
            #expect(outcome.code == 0 && outcome.output.contains("public.visits  read by event"))
            #expect(outcome.errors.count == 1)
            #expect(outcome.errors.joined().hasPrefix("unstale: what 'line' reads is not known: "), "\(outcome.errors)")
        }
    }

    /// On a terminal there is a progress bar, and nothing is left of it.
    @Test(arguments: [false, true]) func progress(isPlain: Bool) async throws {
        try await withShop { shop, redis in
            try await redis.cli("debug", "populate", "50000", "page")
            let environment = shop.environment.merging(isPlain ? ["NO_COLOR": "1"] : [:]) { $1 }
            let variables = environment.map { "\($0)='\($1)'" } + ["TERM=xterm"]
            let program = try Program.executable
            let output = try await command(
                "script",
                ["-qefc", "env -u NO_COLOR \(variables.joined(separator: " ")) \(program) coverage --all", "/dev/null"])
            #expect(output.contains("\rlooking at keys ["), "\(output)")
            #expect(output.contains("\u{1b}[36m") == !isPlain)
            let last = try #require(output.split(separator: "\r\u{1b}[K").last)
            #expect(last.hasPrefix("keys: 50,000"), "\(output)")
        }
    }

    private func withShop(
        tables: String = tables, rules: String = rules, _ body: (Shop, RedisServer) async throws -> Void
    ) async throws {
        try await RedisServer.with { redis in
            try await Shop.with { shop in
                var shop = shop
                shop.redis = "redis://127.0.0.1:\(redis.port)"
                try await shop.database.psql(tables)
                try write(rules, to: shop.rules)
                try await body(shop, redis)
            }
        }
    }

    /// Waits until Postgres has counted what was written.
    private func written(_ shop: Shop) async throws {
        try await eventually("the statistics") {
            try await shop.database.psql(
                "SELECT n_tup_ins, n_tup_del FROM pg_stat_user_tables WHERE relname IN ('carts', 'hits_new') ORDER BY 1"
            )
                == "2|0\n1200|1200\n"
        }
    }

    private func report(_ shop: Shop, _ arguments: String...) async throws -> Report {
        let program = try Program(["coverage", "--json"] + arguments, environment: shop.environment)
        #expect(try await program.end(within: .seconds(90)) == 0, "\(program.lines)")
        return try JSONDecoder().decode(Report.self, from: Data(program.output.utf8))
    }

    private struct Report: Decodable {
        struct Keys: Decodable {
            var inRedis: Int?
            var examined: Int
            var touched: Int
            var isSample: Bool
            var isExact: Bool
        }
        struct Family: Decodable {
            var shape: String
            var keys: Int
        }
        var keys: Keys
        var families: [Family]
    }
}
