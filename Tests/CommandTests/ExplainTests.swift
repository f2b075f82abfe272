import TestSupport
import Testing

/// `explain`: what a statement would delete, and what can make a key stale.
@Suite struct ExplainTests {
    @Test func statement() async throws {
        try await withCache { shop, redis in
            try await redis.cli("mset", "user:1", "a", "users:1:x", "b", "users:1:y", "c", "users:2:x", "d")
            let output = try await shop.succeed(
                "explain", "--sql", "UPDATE users SET email = 'New' WHERE id = 1")
            #expect(
                output.replacing(shop.folder, with: "") == """
                    1 rows affected, 1 changes captured; rolled back
                    user (/rules.yaml:3:5)
                        key user:1: exists
                        key by-email:e1@x.org: not cached
                        key by-email:new: not cached
                        pattern users:1:*: 2 keys exist

                    """)
            #expect(try await redis.cli("dbsize") == "4\n")
        }
    }

    /// The lookup sees what the statement did.
    @Test func lookup() async throws {
        try await withCache { (shop, _) async throws in
            let output = try await shop.succeed(
                "explain", "--sql",
                "WITH o AS (INSERT INTO orders VALUES (3, 'A-3', 1) RETURNING id) INSERT INTO lines SELECT 9, 2 UNION SELECT 10, 1"
            )
            #expect(output.hasPrefix("2 rows affected, 2 changes captured; rolled back\nline ("))
            #expect(
                output.contains("    key order:A-1: not cached\n")
                    && output.contains("    key order:A-2: not cached\n"))
        }
    }

    @Test func nothing() async throws {
        try await withCache { (shop, _) async throws in
            for (sql, rows) in [
                ("UPDATE users SET id = id WHERE id < 4", 3), ("SELECT * FROM users", 10),
                ("DELETE FROM users WHERE false", 0),
            ] {
                #expect(
                    try await shop.succeed("explain", "--sql", sql)
                        == "\(rows) rows affected, 0 changes captured; rolled back\nno rule fires\n")
            }
        }
    }

    @Test func anyRow() async throws {
        try await withCache { shop, redis in
            try await redis.cli("mset", "user:1", "a", "user:2", "b")
            let output = try await shop.succeed("explain", "--sql", "TRUNCATE users")
            #expect(output.contains("    pattern user:*: 2 keys exist\n"))
            #expect(try await shop.database.psql("SELECT count(*) FROM users") == "10\n")
        }
    }

    /// Whatever is given as a statement, nothing of it stays.
    @Test func changesNothing() async throws {
        let statements = [
            "UPDATE users SET name = 'changed'", "DELETE FROM users", "TRUNCATE users, orders, lines",
            "DROP TABLE users", "INSERT INTO users VALUES (99, 'new', 'n')", "CREATE TABLE more ()",
            "ALTER TABLE users ADD COLUMN more int", "DO $$ BEGIN UPDATE users SET name = 'changed'; END $$",
            "SET application_name = 'changed'", "UPDATE users SET name = 'changed'; SELECT 1",
        ]
        try await withCache { shop, _ in
            let before = try await contents(shop)
            for sql in statements {
                #expect(try await shop.unstale("explain", "--sql", sql).code == 0)
                #expect(try await contents(shop) == before)
            }
        }
    }

    /// Statements that fail, or would end the transaction, if one let them.
    @Test func refused() async throws {
        let ending = "EXECUTE of transaction commands is not implemented"
        let statements = [
            ("UPDATE users SET nam = 'x'", "column \"nam\" of relation \"users\" does not exist"),
            ("UPDATE users SET id = 1", "duplicate key"), ("UPDTE users", "syntax error"), ("COMMIT", ending),
            ("UPDATE users SET name = 'changed'; COMMIT", ending), ("PREPARE TRANSACTION 'unstale'", ending),
            ("ROLLBACK; UPDATE users SET name = 'changed'", ending), ("VACUUM users", "VACUUM cannot"),
            ("UPDATE users SET name = '$unstale$'' COMMIT", "unterminated quoted string"),
            ("COPY users TO STDOUT", "COPY"),
        ]
        try await withCache { shop, _ in
            let before = try await contents(shop)
            for (sql, message) in statements {
                let outcome = try await shop.unstale("explain", "--sql", sql)
                #expect(outcome.code == 65)
                #expect(outcome.output == "")
                #expect(outcome.errors.count == 1)
                #expect(outcome.errors.joined().hasPrefix("unstale: running the statement: "))
                #expect(outcome.errors.joined().contains(message), "\(outcome.errors)")
                #expect(try await contents(shop) == before)
            }
        }
    }

    @Test func key() async throws {
        try await withRules { (folder, environment) async throws in
            func explain(_ key: String) async throws -> String {
                let outcome = try await unstale("explain", "--key", key, environment: environment)
                #expect(outcome.code == 0 && outcome.errors == [])
                return outcome.output.replacing(folder, with: "")
            }
            #expect(
                try await explain("user:42") == """
                    user (/rules.yaml:3:5): user:{id}
                        insert, update, delete on public.users
                        an update of email, id, name
                        where old.name is distinct from 'nobody'
                        id = 42

                    """)
            #expect(try await explain("users:7:page=2").contains("users:{id}:*"))
            #expect(
                try await explain("order:A-1") == """
                    line (/rules.yaml:10:5): order:{number}
                        insert, update, delete on public.lines, by its lookup
                        an update of any column
                        number = A-1

                    """)
            #expect(try await explain("order") == "no rule can make this key stale\n")
            #expect(try await explain("user:a\u{1b}[2J\nb").contains("id = a\\u{1B}[2J\\nb\n"))
        }
    }

    private func withCache(_ body: (Shop, RedisServer) async throws -> Void) async throws {
        try await RedisServer.with { redis in
            try await Shop.with { shop in
                var shop = shop
                shop.redis = "redis://127.0.0.1:\(redis.port)"
                try await shop.succeed("install")
                try await body(shop, redis)
            }
        }
    }

    /// All that the database holds, but for where sequences stand.
    private func contents(_ shop: Shop) async throws -> String {
        let dump = try await command("pg_dump", ["-d", shop.database.url])
        let prepared = try await shop.database.psql("SELECT count(*) FROM pg_prepared_xacts")
        return dump.split(separator: "\n").filter { !$0.contains("setval") && !$0.contains("restrict") }
            .joined(separator: "\n") + prepared
    }
}
