import FoundationEssentials
import Glibc
import Postgres
import Rules
import TestSupport
import Testing

/// New rules take the place of the old ones in a running worker: all of them or none, and no change falls between.
@Suite struct ReloadTests {
    private static func rules(_ keys: String...) -> String {
        keys.enumerated().reduce("version: 1\nrules:\n") { text, rule in
            text + "  - {name: rule-\(rule.offset), table: users, delete: {keys: [\"\(rule.element):{id}\"]}}\n"
        }
    }

    /// SIGHUP, or nothing but a file that has changed.
    @Test(arguments: [true, false])
    func newRulesAreServed(isTold: Bool) async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker(isTold ? [] : ["--watch"]) { worker in
                let application = try await site.connect()
                try await site.cache().set("profile:1", "profile:2", "user:2")
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try await site.waitUntilServed()

                try site.write(rules: Self.rules("profile"))
                if isTold { worker.signal(SIGHUP) }
                try await worker.wait(for: "The rules were read anew")
                // What was served by the old rules alone is within the window, and concerns the new ones.
                try await site.wait(for: "profile:1", toBe: nil)
                try await worker.waitUntilServing(session: 2)
                try await application.sql("UPDATE users SET name = 'new' WHERE id = '2'")
                try await site.wait(for: "profile:2", toBe: nil)
                try await site.waitUntilServed()
                try await site.expectUntouched([2])
                #expect(worker.count("Standing by") == 0)
            }
        }
    }

    /// The start may take a while, and rules that change meanwhile count too: here it waits for a lock to install.
    @Test(arguments: [true, false])
    func rulesChangeDuringTheStart(isTold: Bool) async throws {
        try await Site.withUsers { site, _ in
            try await site.unstale(["uninstall"])
            let (application, server) = (try await site.connect(), try await site.connect())
            try await application.sql("BEGIN; LOCK users IN ROW EXCLUSIVE MODE")
            let arguments = ["--install"] + (isTold ? [] : ["--watch"])
            try await site.withWorker(arguments, settings: ["LOCK_TIMEOUT": "60s"], isServing: false) { worker in
                try await eventually("install waits for the lock") { try await Self.isAwaited("users", server) }
                try site.write(rules: Self.rules("profile"))
                if isTold { worker.signal(SIGHUP) }
                try await application.sql("COMMIT")
                try await worker.wait(for: "The rules were read anew")
                try await worker.waitUntilServing()
                try await site.cache().set("profile:1")
                try await site.change(1...1)
                try await site.wait(for: "profile:1", toBe: nil)
            }
        }
    }

    /// Older rules whose check takes long don't take the place of newer ones, whichever way each was asked for.
    @Test func theNewestRulesAreServedLast() async throws {
        try await Site.withUsers { site, _ in
            let (application, server) = (try await site.connect(), try await site.connect())
            try await application.sql("CREATE TABLE items (id text PRIMARY KEY)")
            try await site.withWorker(["--watch"]) { worker in
                try await application.sql("BEGIN; LOCK items IN ACCESS EXCLUSIVE MODE")
                try site.write(
                    rules: Self.rules("user")
                        + "  - {name: item, table: items, where: new.id <> 'x', delete: {keys: [\"item:{id}\"]}}\n")
                worker.signal(SIGHUP)
                try await eventually("the check waits for the lock") { try await Self.isAwaited("items", server) }
                try site.write(rules: Self.rules("profile"))
                let written = ContinuousClock.now
                try await eventually("whoever watches has seen it") { .now - written > .seconds(4) }
                #expect(worker.count("The rules were read anew") == 0)
                try await application.sql("COMMIT")
                try await worker.wait(for: "The rules were read anew", count: 2)
                let last = worker.lines.last { $0.contains("The rules were read anew") }
                #expect(last?.contains("rules=1") == true, "\(last ?? "")")
                try await site.cache().set("profile:1")
                try await site.change(1...1)
                try await site.wait(for: "profile:1", toBe: nil)
            }
        }
    }

    /// Whether somebody waits for a lock on a table.
    private static func isAwaited(_ table: String, _ server: PostgresConnection) async throws -> Bool {
        try await server.value(
            """
            SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
            WHERE datname = current_database() AND relation = '\(table)'::regclass AND NOT granted
            """) != "0"
    }

    /// What served the old rules is let go: it would keep its connections, and the lock that makes writers ring.
    @Test func nothingIsLeftOfTheOldOnes() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { worker in
                let server = try await site.connect()
                let sessions = """
                    SELECT count(*)::text || ' ' || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
                    FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
                    """
                // The lead, and the doorbell, which it asks for as soon as nothing comes any more.
                try await eventually("it sleeps") { try await server.value(sessions)?.hasSuffix(" 2") == true }
                let before = try await server.value(sessions)
                for session in 2...4 {
                    try site.write(rules: Self.rules("user", "profile-\(session)"))
                    worker.signal(SIGHUP)
                    try await worker.waitUntilServing(session: session)
                }
                try await eventually("as before") { try await server.value(sessions) == before }
                try await site.change(1...1)
                try await site.waitUntilGone([1])
            }
        }
    }

    /// A settings file that is no more what it was when the worker began is no reason to take any rules.
    @Test func rulesForATargetThatIsNotThere() async throws {
        try await Site.withTwoTargets { site, targets in
            try await site.withWorker { worker in
                let config = try #require(site.config)
                try "targets: [".write(toFile: config, atomically: true, encoding: .utf8)
                try site.write(rules: Users.rules + "\n    targets: [c]\n")
                worker.signal(SIGHUP)
                try await worker.wait(for: "The new rules are refused")
                #expect(worker.lines.last { $0.contains("are refused") }?.contains("unknown target 'c'") == true)
                try site.write(rules: Users.rules + "\n    targets: [b]\n")
                worker.signal(SIGHUP)
                try await worker.wait(for: "The rules were read anew")
                try await site.change(1...1)
                try await targets.b.waitUntilGone([1])
            }
        }
    }

    @Test func wrongRulesAreRefused() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { worker in
                // Each has a rule in it that would do.
                let mistakes = [
                    ("delete: {keys: [\"user:{ident}\"]}", "ident"),
                    ("delete: {kyes: [\"user:{id}\"]}", "kyes"),
                    ("where: new.nmae = 'x'\n    delete: {keys: [\"user:{id}\"]}", "nmae"),
                    ("lookup: select 1 as n from nowhere where :id = '1'\n    delete: {keys: [\"x:{n}\"]}", "nowhere"),
                ]
                for (number, (body, word)) in mistakes.enumerated() {
                    try site.write(
                        rules: Self.rules("profile") + "  - name: wrong\n    table: users\n    \(body)\n")
                    worker.signal(SIGHUP)
                    try await worker.wait(for: "The new rules are refused", count: number + 1)
                    #expect(worker.lines.last { $0.contains("are refused") }?.contains(word) == true)
                    try await site.cache().set("profile:\(number + 1)")
                    try await site.change((number + 1)...(number + 1))
                    try await site.waitUntilGone([number + 1])
                    #expect(try await site.cache().has("profile:\(number + 1)"))
                }
                try site.write(rules: Self.rules("profile"))
                worker.signal(SIGHUP)
                // The window holds what the refused rules would have been about.
                for number in 1...mistakes.count { try await site.wait(for: "profile:\(number)", toBe: nil) }
            }
        }
    }

    /// Rules that need what the capture doesn't record yet are said to wait for it.
    @Test func rulesAreNewerThanTheCapture() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker(settings: ["CHECK_INTERVAL": "200ms"]) { worker in
                try site.write(
                    rules: Users.rules + """

                          - {name: name, table: users, columns: [name], delete: {keys: ["name:{name}"]}}
                        """)
                worker.signal(SIGHUP)
                try await worker.wait(for: "does not know 'name'")
                #expect(try await site.status().degraded.contains { $0.contains("does not know 'name'") })
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try await site.unstale(["install"])
                try await worker.wait(for: "No longer degraded")
                try await site.cache().set("name:", "name:x")
                try await site.change(2...2)
                try await site.wait(for: "name:", toBe: nil)
                try await site.wait(for: "name:x", toBe: nil)
            }
        }
    }

    /// What is to be deleted once more in half a minute holds up nobody, and is not forgotten.
    @Test func repeatsAreUnderWay() async throws {
        let rules = Users.rules + "\n    repeat_after: [4s]\n"
        try await Site.with(rules: rules, schema: Users.schema) { site, _ in
            try await site.cacheUsers()
            try await site.withWorker { worker in
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                worker.signal(SIGHUP)
                try await worker.wait(for: "The rules were read anew")
                let start = ContinuousClock.now
                try await site.change(2...2)
                try await site.waitUntilGone([2])
                #expect(.now - start < .seconds(2))
                // Read again, it is deleted once more, and then after the delay.
                try await site.waitUntilServed()
                #expect(.now - start > .seconds(3))
            }
        }
    }

    /// Rules come and go while rows change; whichever are served, each has the rule that deletes the users.
    @Test func nothingIsLostMeanwhile() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { worker in
                let sets = [Self.rules("user"), Self.rules("user", "profile"), Self.rules("x", "user")]
                let application = try await site.connect()
                for round in 0..<30 {
                    try site.write(rules: sets[round % 3])
                    worker.signal(SIGHUP)
                    let users = (round * 6 + 1)...(round * 6 + 6)
                    for user in users {
                        try await application.sql("UPDATE users SET name = name || 'x' WHERE id = '\(user)'")
                    }
                    // Some rounds end before the rules have been read, some after.
                    if round % 4 == 3 { try await site.waitUntilGone(users) }
                }
                try await site.waitUntilGone(1...180)
                try await site.waitUntilServed()
                try await site.expectUntouched(181...200)
                #expect(worker.count("The rules were read anew") > 5)
            }
        }
    }
}
