import TestSupport
import Testing

/// `install` and `uninstall`, as commands.
@Suite struct InstallTests {
    @Test func printedIsTheSame() async throws {
        try await Shop.with { printed in
            let sql = try await printed.succeed("install", "--print", "--wake", "poll", "--row-limit", "77")
            #expect(try await printed.database.psql("SELECT to_regnamespace('unstale') IS NULL") == "t\n")
            try write(sql, to: printed.folder + "/install.sql")
            try await command(
                "psql",
                [
                    "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", printed.database.url, "-f",
                    printed.folder + "/install.sql",
                ])
            #expect(
                try await printed.succeed("install", "--diff", "--wake", "poll", "--row-limit", "77")
                    == "no difference\n")
            try await Shop.with { installed in
                try await installed.succeed("install", "--wake", "poll", "--row-limit", "77")
                #expect(try await dump(printed) == dump(installed))
            }
        }
    }

    @Test func idempotent() async throws {
        try await Shop.with { shop in
            let diff = try await shop.succeed("install", "--diff")
            let steps = try await shop.succeed("install")
            #expect(diff == steps)
            #expect(steps.contains("create trigger unstale_update on public.users\n"))
            #expect(try await shop.succeed("install") == "nothing to do\n")
            #expect(try await shop.succeed("install", "--diff") == "no difference\n")
            #expect(try await shop.succeed("install", "--print") == "-- nothing to do\n")
            // A rule that changes concerns its own table.
            try write(Shop.rules.replacing("order:{number}", with: "order:{number}:{new.id}"), to: shop.rules)
            let change = try await shop.succeed("install", "--diff")
            #expect(change.contains("lines") && !change.contains("users"))
        }
    }

    /// A command that mends doesn't change what the capture is: without `--always` it would record less than before, and
    /// all would seem well.
    @Test func whatMendsKeepsWhatItWasTold() async throws {
        try await Shop.with { shop in
            try await shop.succeed("install", "--always", "--wake", "poll", "--replay-window", "1h")
            try await shop.database.psql("DROP TRIGGER unstale_update ON users")
            let status = try await shop.unstale("status").output
            let words = "install --always --wake poll --replay-window 3600s"
            #expect(status.contains("is missing: run 'unstale \(words)'"), "\(status)")
            let steps = try await shop.run(words.split(separator: " ").map(String.init))
            #expect(steps.output.contains("create trigger unstale_update on public.users\n"))
            #expect(!steps.output.contains("drop"), "\(steps.output)")
            #expect(try await shop.unstale("status").output.contains("capture: up to date"))
        }
    }

    @Test func uninstall() async throws {
        try await Shop.with { shop in
            let before = try await dump(shop)
            try await shop.succeed("install")
            #expect(try await shop.succeed("uninstall").contains("drop the schema unstale\n"))
            #expect(try await dump(shop) == before)
            #expect(try await shop.succeed("uninstall") == "nothing to do\n")
        }
    }

    /// The worker's role gets by with what install grants it.
    @Test func workerRole() async throws {
        try await Shop.with { shop in
            let role = "worker_" + shop.database.name
            try await shop.database.psql("CREATE ROLE \(role) LOGIN")
            try await shop.succeed("install", "--worker-role", role)
            #expect(try await shop.succeed("install", "--worker-role", role) == "nothing to do\n")
            try await RedisServer.with { redis in
                let environment = shop.environment.merging([
                    "UNSTALE_DATABASE_URL": shop.database.url.replacing("postgres@", with: "\(role)@"),
                    "UNSTALE_REDIS_URL": "redis://127.0.0.1:\(redis.port)",
                ]) { $1 }
                let worker = try Program(["run"], environment: environment)
                try await worker.wait(for: "Serving")
                try await redis.cli("mset", "user:1", "a", "order:A-2", "b", "users:1:x", "c", "user:2", "d")
                try await shop.database.psql(
                    "UPDATE users SET name = 'x' WHERE id = 1; UPDATE lines SET id = 3 WHERE id = 2")
                try await eventually("served") { try await redis.cli("keys", "*") == "user:2\n" }
                worker.signal(15)
                #expect(try await worker.end() == 0)
                #expect(worker.count("error") == 0 && worker.count("warning") == 0, "\(worker.lines)")
                for arguments in [["status"], ["dead-letters", "list"]] {
                    let program = try Program(arguments, environment: environment)
                    #expect(try await program.end() == 0, "\(arguments): \(program.lines)")
                }
                // To try the rules' SQL takes more, which is no mistake in the rules.
                let check = try await shop.unstale("check", environment: environment)
                #expect(check.code == 78)
                #expect(
                    check.errors.count == 1
                        && check.errors.joined().contains("permission denied for table users"))
            }
            try await shop.succeed("uninstall")
            try await shop.database.psql("DROP ROLE \(role)")
        }
    }

    /// One step a table, one line for whoever lacks the right.
    @Test func notTheOwner() async throws {
        try await Shop.with { shop in
            let role = "nobody_" + shop.database.name
            try await shop.database.psql(
                "CREATE ROLE \(role) LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO \(role)")
            let outcome = try await shop.unstale(
                "install",
                environment: [
                    "UNSTALE_DATABASE_URL": shop.database.url.replacing("postgres@", with: "\(role)@")
                ])
            #expect(outcome.code == 78)
            #expect(outcome.errors.count == 1)
            #expect(outcome.errors.joined().contains("permission denied"), "\(outcome.errors)")
            #expect(try await shop.database.psql("SELECT to_regnamespace('unstale') IS NULL") == "t\n")
            try await shop.database.psql("DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }

    /// Everything about the database but the numbers that differ by chance.
    private func dump(_ shop: Shop) async throws -> String {
        try await command("pg_dump", ["--schema-only", "-d", shop.database.url])
            .replacing(/capture_\d+/, with: "capture_N").replacing(/restrict \w+/, with: "restrict")
    }
}
