import Rules
import TestSupport
import Testing

/// `unstale replay`: what has been served is served once more.
@Suite struct ReplayTests {
    private static let rules = """
        version: 1
        rules:
          - {name: user, table: users, delete: {keys: ["user:{id}"]}}
          - {name: name, table: users, delete: {keys: ["name:{name}"]}}
        """

    /// Changes users 1 to 5 and waits until that is served; then all is cached again.
    private func withServedChanges(_ body: (Site, Program) async throws -> Void) async throws {
        try await Site.with(rules: Self.rules, schema: Users.schema) { site, _ in
            try await site.withWorker { worker in
                try await site.cacheUsers()
                try await site.change(1...5)
                try await site.waitUntilGone(1...5)
                try await site.waitUntilServed()
                try await site.cacheUsers()
                try await site.cache().set("name:x", "name:y")
                try await body(site, worker)
            }
        }
    }

    @Test func changesOfTheLastMinutes() async throws {
        try await withServedChanges { site, _ in
            #expect(try await site.unstale(["replay", "--since", "10m"]) == "replayed: 5 records\n")
            try await site.waitUntilGone(1...5)
            try await site.wait(for: "name:x", toBe: nil)
            try await site.waitUntilServed()
            try await site.expectUntouched(6...200)
            #expect(try await site.cache().has("name:y"))
            // What was replayed is not replayed twice over.
            #expect(try await site.unstale(["replay", "--since", "10m"]) == "replayed: 5 records\n")
        }
    }

    @Test func oneRule() async throws {
        try await withServedChanges { site, _ in
            try await site.unstale(["replay", "--since", "10m", "--rule", "name", "--target", "default"])
            try await site.wait(for: "name:x", toBe: nil)
            try await site.waitUntilServed()
            try await site.expectUntouched(1...200)
        }
    }

    @Test func wholeTable() async throws {
        try await withServedChanges { site, worker in
            #expect(
                try await site.unstale(["replay", "--table", "users", "--rule", "user"]) == "replayed: 1 record\n")
            try await site.waitUntilGone(1...200)
            try await site.waitUntilServed()
            #expect(try await site.cache().has("name:y"))
            try await site.unstale(["replay", "--table", "public.users"])
            try await site.wait(for: "name:y", toBe: nil)
            #expect(worker.count("capture could not tell") == 0)
        }
    }

    /// All rows that counted as changed do so again, for those for whom they did.
    @Test func wholeTableAgain() async throws {
        try await withServedChanges { site, _ in
            try await site.unstale(["replay", "--table", "users", "--rule", "name"])
            try await site.wait(for: "name:y", toBe: nil)
            try await site.waitUntilServed()
            for _ in 1...2 {
                try await site.cache().set("name:y", "user:1", "user:200")
                #expect(
                    try await site.unstale(["replay", "--since", "10m", "--rule", "user"]) == "replayed: 5 records\n")
                try await site.waitUntilGone([1])
                #expect(try await site.unstale(["replay", "--since", "10m"]) == "replayed: 6 records\n")
                try await site.wait(for: "name:y", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await site.cache().has("user:200"))
            }
        }
    }

    @Test func untilThen() async throws {
        try await withServedChanges { site, _ in
            try await site.connect().sql("UPDATE unstale.outbox SET at = at - interval '5 minutes' WHERE capture = 1")
            #expect(try await site.unstale(["replay", "--since", "4m"]) == "replayed: 0 records\n")
            #expect(try await site.unstale(["replay", "--since", "6m", "--table", "users"]) == "replayed: 5 records\n")
            try await site.waitUntilGone(1...5)
        }
    }

    /// A worker that is down serves it when it is back.
    @Test func withoutAWorker() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { _ in
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try await site.waitUntilServed()
            }
            try await site.cacheUsers()
            try await site.unstale(["replay", "--since", "1h"])
            try await site.expectUntouched(1...200)
            try await site.withWorker { _ in
                try await site.waitUntilGone([1])
                try await site.waitUntilServed()
                try await site.expectUntouched(2...200)
            }
        }
    }

    /// With no more rights than install gives.
    @Test func asTheWorkersRole() async throws {
        let role = "worker_" + String(UInt64.random(in: 0 ... .max), radix: 36)
        try await Site.with(
            rules: Self.rules, schema: Users.schema + "; CREATE ROLE \(role) LOGIN", install: ["--worker-role", role]
        ) { site, _ in
            var limited = site
            limited.database = site.database.replacing("//postgres@", with: "//\(role)@")
            try await limited.withWorker { _ in
                try await site.change(1...1)
                try await site.waitUntilServed()
                try await site.cacheUsers()
                #expect(try await limited.unstale(["replay", "--since", "1m"]) == "replayed: 1 record\n")
                try await site.waitUntilGone([1])
            }
            try await site.connect().sql("DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }

    @Test(arguments: [
        (["--since", "soon"], 78, "'soon' is no duration"), (["--table", "user"], 78, "did you mean 'users'?"),
        (["--since", "1m", "--rule", "usr"], 78, "did you mean 'user'?"), ([], 64, "--since or --table"),
        (["--since", "1m", "--target", "other"], 78, "no target 'other'"),
    ])
    func mistakes(arguments: [String], code: Int, words: String) async throws {
        try await Site.withUsers { site, _ in
            let program = try Program(["replay"] + arguments, environment: site.environment)
            #expect(try await program.end() == Int32(code))
            #expect(program.lines.contains { $0.contains(words) }, "\(program.lines)")
        }
    }
}
