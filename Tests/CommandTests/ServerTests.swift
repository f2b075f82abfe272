import TestSupport
import Testing

/// Servers that can't be reached: one line and exit code 69 for commands that don't wait.
@Suite struct ServerTests {
    @Test(arguments: [
        ["check"], ["install"], ["install", "--print"], ["install", "--diff"], ["uninstall"], ["status"], ["coverage"],
        ["status", "--json"], ["explain", "--sql", "SELECT 1"], ["dead-letters", "list"],
        ["dead-letters", "show", "1"],
        ["dead-letters", "redrive", "--all"], ["dead-letters", "discard", "1"], ["run", "--install"],
    ]) func postgresIsDown(arguments: [String]) async throws {
        try await Shop.with { shop in
            let environment = shop.environment.merging(["UNSTALE_DATABASE_URL": "host=127.0.0.1 port=1"]) {
                $1
            }
            let program = try Program(arguments, environment: environment)
            #expect(try await program.end() == 69)
            #expect(program.output == "")
            #expect(program.lines.count == 1)
            #expect(program.lines.joined().hasPrefix("unstale: connecting to Postgres: "))
            #expect(program.lines.joined().contains("Connection refused"))
        }
    }

    @Test func redisIsDown() async throws {
        try await Shop.with { shop in
            try await shop.succeed("install")
            let outcome = try await shop.unstale(
                "explain", "--sql", "UPDATE users SET name = 'x' WHERE id = 1", "--redis-url",
                "redis://127.0.0.1:1")
            #expect(outcome.code == 69)
            #expect(outcome.errors == ["unstale: connecting to redis://127.0.0.1:1/0: connection refused"])
        }
    }

    /// Where there is no capture, all that need one say how to get it.
    @Test(arguments: [
        ["status"], ["explain", "--sql", "SELECT 1"], ["check"], ["replay", "--since", "1m"], ["replay", "--all"],
        ["targets", "forget", "x"],
    ])
    func noCapture(arguments: [String]) async throws {
        try await Shop.with { shop in
            let program = try Program(arguments, environment: shop.environment)
            #expect(try await program.end() != 0)
            #expect(program.lines.count == 1)
            #expect(program.lines.joined().contains("run 'unstale install'"), "\(program.lines)")
        }
    }

    @Test func lockedTable() async throws {
        try await Shop.with { shop in
            let writer = Task {
                try await shop.database.psql("LOCK users IN ROW EXCLUSIVE MODE; SELECT pg_sleep(60)")
            }
            try await eventually("locked") {
                try await shop.database.psql(
                    "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass") == "1\n"
            }
            let outcome = try await shop.unstale("install", "--lock-timeout", "100ms")
            #expect(outcome.code == 69)
            #expect(outcome.errors.count == 1)
            #expect(outcome.errors.joined().contains("another session holds a lock"))
            #expect(try await shop.database.psql("SELECT to_regnamespace('unstale') IS NULL") == "t\n")
            try await shop.database.psql(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            await #expect(throws: TestError.self) { try await writer.value }
            try await shop.succeed("install", "--lock-timeout", "5s")
        }
    }
}
