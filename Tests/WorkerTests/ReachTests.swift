import Redis
import Rules
import TestSupport
import Testing

/// A Redis that doesn't let the worker in is waited for, with one clear reason in status and log; when the server or
/// the secret is mended, the worker goes on as it is.
@Suite struct ReachTests {
    /// Changes users, and sees that this waits for the one reason.
    private func expectPause(_ site: Site, _ worker: Program, because words: String) async throws {
        try await site.change(1...50)
        try await eventually("paused because of \(words)") {
            try await site.status().targets.first?.pausedReason?.contains(words) == true
        }
        try await worker.wait(for: "Redis is waited for")
        let lines = worker.lines.filter { $0.contains("Redis is waited for") }
        #expect(lines.allSatisfy { $0.contains(words) } && lines.count <= 2, "\(lines)")
        try await site.expectUntouched(1...200)
    }

    /// Sees the keys go after all.
    private func expectRecovery(_ site: Site, _ worker: Program) async throws {
        try await site.waitUntilGone(1...50)
        try await site.expectUntouched(51...200)
        try await worker.wait(for: "Redis is back")
        try await eventually("no longer paused") { try await site.status().targets.first?.pausedReason == nil }
        let target = try await site.status().targets.first
        #expect(target?.retrying == 0 && target?.deadLetters == 0)
        #expect(worker.count("s3cret") == 0)
    }

    private func with(
        redis arguments: [String], url: (RedisServer) throws -> String,
        _ body: (Site, RedisServer) async throws -> Void
    ) async throws {
        try await Site.with(rules: Users.rules, schema: Users.schema, redis: arguments) { site, redis in
            var site = site
            site.cacheURL = "redis://test:test@127.0.0.1:\(redis.port)"
            try await redis.cli("ACL", "SETUSER", "test", "on", ">test", "~*", "&*", "+@all")
            site.redis = try url(redis)
            try await site.cacheUsers()
            try await body(site, redis)
        }
    }

    @Test func wrongPassword() async throws {
        let path = try TestEnvironment.directory + "/secret-\(UInt64.random(in: 0 ... .max))"
        try "s3cret2\n".write(toFile: path, atomically: true, encoding: .utf8)
        let user = ["--user", "app", "on", ">s3cret", "~*", "+@all"]
        try await with(redis: user) {
            "redis://app@127.0.0.1:\($0.port)?password_file=\(path)"
        } _: { site, redis in
            try await site.withWorker { worker in
                try await expectPause(site, worker, because: "WRONGPASS")
                try "s3cret\n".write(toFile: path, atomically: true, encoding: .utf8)
                try await expectRecovery(site, worker)
            }
        }
    }

    @Test func noPermission() async throws {
        let user = ["--user", "app", "on", ">s3cret", "~*", "+@all", "-unlink"]
        try await with(redis: user) {
            "redis://app:s3cret@127.0.0.1:\($0.port)"
        } _: { site, redis in
            try await site.withWorker { worker in
                try await expectPause(site, worker, because: "NOPERM")
                try await redis.cli("ACL", "SETUSER", "app", "+unlink")
                try await expectRecovery(site, worker)
            }
        }
    }

    @Test func expiredCertificate() async throws {
        let authority = try await TestAuthority()
        let port = try await TLSPort(authority.certificate(hasExpired: true))
        try await with(redis: port.arguments) { _ in
            "rediss://localhost:\(port.number)?ca=\(authority.file)"
        } _: { site, redis in
            try await site.withWorker { worker in
                try await expectPause(site, worker, because: "the server's certificate expired on 2020-02-01")
                try await redis.show(authority.certificate())
                try await expectRecovery(site, worker)
            }
            // Others than the worker find the way too.
            let statement = "UPDATE users SET name = 'y' WHERE id = '60'"
            let explanation = try await site.unstale(["explain", "--sql", statement])
            #expect(explanation.contains("key user:60: exists"))
            #expect(try await site.unstale(["coverage", "--json"]).contains("\"examined\" : 150"))
        }
    }

    @Test func insecure() async throws {
        let port = try await TLSPort(TestAuthority().certificate(hasExpired: true))
        try await with(redis: port.arguments) { _ in
            "rediss://localhost:\(port.number)?tls=insecure"
        } _: { site, _ in
            for _ in 1...2 {
                try await site.withWorker { worker in
                    try await site.change(1...5)
                    try await site.waitUntilGone(1...5)
                    #expect(worker.count("not asked to prove who it is") == 1)
                }
            }
        }
    }
}
