import Glibc
import TestSupport
import Testing

/// The log of a worker: what it says at the start, and its level.
@Suite struct LogTests {
    /// Two lines say all that matters, however late it is known.
    @Test func startLines() async throws {
        try await withShop { shop, redis in
            try await shop.succeed("install")
            let worker = try shop.startWorker()
            try await worker.wait(for: "] Serving")
            let version = try await redis.cli("info", "server").firstMatch(of: /redis_version:(\S+)/)?.1 ?? ""
            let postgres = try await shop.database.psql("SHOW server_version").split(separator: "\n").first ?? ""
            let starting = try #require(worker.lines.first)
            #expect(
                starting.firstMatch(
                    of: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z \[notice\] Starting files=\S+\/rules\.yaml redis=/)
                    != nil,
                "\(starting)")
            #expect(starting.contains("redis=redis://127.0.0.1:\(redis.port)/0 rules=2 version="), "\(starting)")
            let serving = worker.lines.filter { $0.contains("] Serving") }
            #expect(serving.count == 1)
            let quoted = postgres.contains(" ") ? "\"\(postgres)\"" : "\(postgres)"
            #expect(
                serving.joined().contains(
                    "Serving capture=\"up to date\" postgres=\(quoted) redis=\"Redis \(version)\" rules=2 target=default wake=notify"
                ),
                "\(serving)")
            worker.signal(SIGTERM)
            #expect(try await worker.end() == 0)
        }
    }

    /// What can't be known yet is said when it is.
    @Test func startWithoutRedis() async throws {
        try await withShop { shop, redis in
            try await shop.succeed("install")
            try await shop.database.psql("DROP TRIGGER unstale_update ON lines")
            try await redis.kill9()
            let worker = try shop.startWorker()
            try await worker.wait(for: "Serving capture=\"degraded: 1\"")
            #expect(worker.count("redis=\"not reached yet\"") == 1)
            try await redis.start()
            try await worker.wait(for: "server=\"Redis ")
            worker.signal(SIGTERM)
            #expect(try await worker.end() == 0)
        }
    }

    /// SIGUSR1 is one level more, SIGUSR2 one less, and each is said, whatever the level is then.
    @Test(arguments: ["text", "json"]) func levelBySignals(format: String) async throws {
        try await withShop { shop, _ in
            try await shop.succeed("install")
            let worker = try shop.startWorker(["--log-format", format])
            try await worker.wait(for: "Serving")
            func expect(_ level: String, after signal: Int32) async throws {
                let text =
                    format == "text"
                    ? "[\(level)] The log level has changed level=\(level)"
                    : "\"level\":\"\(level)\",\"message\":\"The log level"
                let count = worker.count(text)
                worker.signal(signal)
                try await worker.wait(for: text, count: count + 1)
            }
            for level in ["debug", "trace", "trace"] { try await expect(level, after: SIGUSR1) }
            for level in ["debug", "info", "notice", "warning", "error", "critical", "critical"] {
                try await expect(level, after: SIGUSR2)
            }
            // At this level the end is not worth a line.
            let lines = worker.lines.count
            worker.signal(SIGTERM)
            #expect(try await worker.end() == 0)
            #expect(worker.lines.count == lines)
        }
    }

    private func withShop(_ body: (Shop, RedisServer) async throws -> Void) async throws {
        try await RedisServer.with { redis in
            try await Shop.with { shop in
                var shop = shop
                shop.redis = "redis://127.0.0.1:\(redis.port)"
                try await body(shop, redis)
            }
        }
    }
}
