import FoundationEssentials
import TestSupport
import Testing

/// `status`, and the log.
@Suite struct StatusTests {
    @Test func fromInstallToService() async throws {
        try await withRedis { shop in
            try await shop.succeed("install")
            #expect(
                try await shop.succeed("status")
                    == "worker: none is running\ncapture: up to date\nno target has been served yet\n")
            let none = try await report(shop)
            #expect(!none.workerIsRunning && none.degraded == [] && none.targets.isEmpty)

            let worker = try shop.startWorker()
            try await worker.wait(for: "Serving")
            try await eventually("a target") { try await shop.succeed("status").contains("target default:") }
            let text = try await shop.succeed("status")
            #expect(text.hasPrefix("worker: running\ncapture: up to date\ntarget default:\n"))
            for line in ["state: connected", "backlog: 0 records", "retrying: 0", "dead letters: 0"] {
                #expect(text.contains("    \(line)\n"), "\(text)")
            }
            let some = try await report(shop)
            #expect(some.workerIsRunning)
            #expect(some.targets.map(\.target) == ["default"])
            #expect(some.targets.first?.cursor.wholeMatch(of: /\d+:\d+:[\d,]*/) != nil)
            worker.signal(15)
            #expect(try await worker.end() == 0)

            try await shop.database.psql(
                "UPDATE users SET name = 'x' WHERE id = 1; DROP TRIGGER unstale_update ON lines")
            let after = try await shop.succeed("status")
            #expect(
                after.hasPrefix(
                    "worker: none is running\ncapture: degraded\n    trigger unstale_update on public.lines is missing"
                ))
            #expect(after.contains("    backlog: 1 records\n"))
            let target = try await report(shop).targets.first
            #expect(target?.backlog == 1)
            #expect(target.map { $0.lagSeconds > 0 && $0.lagSeconds < 60 } == true)
        }
    }

    /// Each line is one object, whatever stands in it.
    @Test func jsonLog() async throws {
        try await withRedis { shop in
            try await shop.succeed("install")
            let worker = try shop.startWorker(["--log-format", "json", "--log-level", "trace"])
            try await worker.wait(for: "Serving")
            // A failure whose text has quotes and line breaks in it.
            try await shop.database.psql(
                """
                CREATE FUNCTION public.fail(text) RETURNS text LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION E'a "quoted"\\nline\\t\\\\ of %', $1; END $$;
                ALTER TABLE users RENAME COLUMN email TO "e""m\\ail";
                UPDATE users SET name = 'x' WHERE id = 1;
                """)
            try await worker.wait(for: "could not tell which rows changed")
            worker.signal(15)
            #expect(try await worker.end() == 0)
            #expect(worker.output == "")
            #expect(worker.lines.count > 5)
            for line in worker.lines {
                let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
                for key in ["time", "level", "message"] { #expect(object[key] != nil, "\(line)") }
                let time = object["time"] ?? ""
                #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(time)")
            }
            let messages = try worker.lines.map {
                try JSONDecoder().decode([String: String].self, from: Data($0.utf8))["message"]
            }
            #expect(messages.contains("Serving") && messages.last == "Stopped")
        }
    }

    @Test func logLevel() async throws {
        try await withRedis { shop in
            try await shop.succeed("install")
            let worker = try shop.startWorker(["--log-level", "warning"])
            try await eventually("serving") { try await shop.succeed("status").contains("target default:") }
            worker.signal(15)
            #expect(try await worker.end() == 0)
            #expect(worker.lines == [])
        }
    }

    @Test func runInstalls() async throws {
        try await withRedis { shop in
            let worker = try shop.startWorker(["--install", "--wake", "poll"])
            try await worker.wait(for: "Serving")
            #expect(worker.count("create the schema unstale") == 1)
            #expect(worker.count("wake=poll") == 1)
            worker.signal(15)
            #expect(try await worker.end() == 0)
            #expect(try await shop.succeed("install", "--diff", "--wake", "poll") == "no difference\n")
        }
    }

    private func withRedis(_ body: (Shop) async throws -> Void) async throws {
        try await RedisServer.with { redis in
            try await Shop.with { shop in
                var shop = shop
                shop.redis = "redis://127.0.0.1:\(redis.port)"
                try await body(shop)
            }
        }
    }

    private func report(_ shop: Shop) async throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(try await shop.succeed("status", "--json").utf8))
    }

    private struct Report: Decodable {
        struct Target: Decodable {
            var target: String
            var cursor: String
            var lagSeconds: Double
            var backlog: Int
        }

        var workerIsRunning: Bool
        var degraded: [String]
        var targets: [Target]
    }
}
