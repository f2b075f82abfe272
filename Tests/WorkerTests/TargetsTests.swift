import Glibc
import Postgres
import Rules
import TestSupport
import Testing

/// Several targets: each has its own cursor and its own troubles.
@Suite struct TargetsTests {
    @Test(arguments: [[], ["--wake", "poll"]]) func bothAreServed(options: [String]) async throws {
        try await Site.withTwoTargets(install: options) { site, targets in
            try await site.withWorker { worker in
                try await site.change(1...20)
                try await targets.a.waitUntilGone(1...20)
                try await targets.b.waitUntilGone(1...20)
                try await site.waitUntilServed()
                try await targets.a.expectUntouched(21...200)
                try await targets.b.expectUntouched(21...200)
                #expect(try await site.status().targets.map(\.target) == ["a", "b"])
                var latencies: [Duration] = []
                // The writers ring only while the worker sleeps, and it does: well before the sweep.
                for user in 21...30 {
                    let start = ContinuousClock.now
                    try await site.change(user...user)
                    try await targets.b.waitUntilGone([user])
                    latencies.append(.now - start)
                }
                #expect(latencies.sorted()[5] < .milliseconds(200))
                #expect(worker.count("needs a resync") == 0)
            }
        }
    }

    /// With more changes waiting for it than may be in flight.
    @Test func aDeadOneHoldsUpNobody() async throws {
        try await Site.withTwoTargets { site, targets in
            let application = try await site.connect()
            try await application.sql("INSERT INTO users SELECT generate_series(201, 60000)")
            try await site.withWorker { worker in
                try await site.waitUntilServed()
                // So many at once had counted as all.
                try await targets.a.cacheUsers()
                try await targets.b.cacheUsers()
                try targets.serverB.pause()
                for part in 0..<5 {
                    try await application.sql(
                        "UPDATE users SET name = 'new' WHERE id::int > 200 AND id::int % 5 = \(part)")
                }
                try await eventually("b is paused") { try await site.target("b")?.pausedReason != nil }
                try await eventually("a is served") { try await site.target("a")?.backlog == 0 }
                var slowest = Duration.zero
                for user in 1...100 {
                    let start = ContinuousClock.now
                    try await application.sql("UPDATE users SET name = 'new' WHERE id = '\(user)'")
                    try await targets.a.waitUntilGone([user])
                    slowest = max(slowest, .now - start)
                }
                // It is milliseconds; were it to wait for the other, it would take until that is back.
                #expect(slowest < .seconds(2), "\(slowest)")
                let (a, b) = try await (site.target("a"), site.target("b"))
                #expect(a?.pausedReason == nil && b?.pausedReason != nil && b?.backlog ?? 0 > 100)
                try targets.serverB.resume()
                try await site.waitUntilServed()
                try await targets.b.waitUntilGone(1...100)
                try await targets.b.expectUntouched(101...200)
                #expect(worker.count("replaying the window") == 0)
                for target in try await site.status().targets {
                    #expect(target.pausedReason == nil && target.retrying == 0 && target.deadLetters == 0)
                }
            }
        }
    }

    /// After a crash of the worker while it is behind, and after one of its own.
    @Test func catchesUpFromItsOwnCursor() async throws {
        try await Site.withTwoTargets { site, targets in
            var worker = try site.startWorker()
            try await worker.waitUntilServing(session: 2)
            try await site.change(1...1)
            try await site.waitUntilServed()
            try await targets.b.cacheUsers()
            try await targets.b.cache().send("SAVE")
            try targets.serverB.pause()
            try await site.change(2...50)
            try await targets.a.waitUntilGone(2...50)
            try await eventually("a is behind them") { try await site.target("a")?.backlog == 0 }
            try await worker.kill9()
            try await targets.a.cacheUsers()
            worker = try site.startWorker()
            try await worker.waitUntilServing(session: 2)
            try await site.change(51...51)
            try await targets.a.waitUntilGone([51])
            try await targets.a.expectUntouched(1...50)
            #expect(try await site.target("b")?.backlog == 50)
            try targets.serverB.resume()
            try await targets.b.waitUntilGone(2...51)
            try await site.waitUntilServed()
            // What each has passed is not served to it once more.
            try await targets.b.expectUntouched([1] + Array(52...200))
            #expect(worker.count("replaying the window") == 0)

            try await targets.serverB.kill9()
            try await targets.serverB.start()
            // It knows no more of what it had been told since it saved.
            try await targets.b.waitUntilGone(1...51)
            try await site.waitUntilServed()
            try await targets.b.expectUntouched(52...200)
            try await targets.a.expectUntouched(1...50)
            #expect(try await worker.terminate() == 0)
        }
    }

    /// An action that fails at one target is done at the other.
    @Test func deadLettersAreATargetsOwn() async throws {
        try await Site.withTwoTargets { site, targets in
            try await FaultProxy.with(to: targets.serverB.port) { proxy in
                var site = site
                try site.configure(["a": targets.serverA.port, "b": proxy.port], ["b": "attempts: 1"])
                proxy.poison(Array("user:1".utf8), with: "ERR no")
                try await site.withWorker { _ in
                    try await site.change(1...2)
                    try await targets.a.waitUntilGone(1...2)
                    try await targets.b.waitUntilGone([2])
                    try await eventually("it is dead") { try await site.target("b")?.deadLetters == 1 }
                    #expect(try await site.target("a")?.deadLetters == 0)
                    #expect(try await site.unstale(["dead-letters", "list", "--target", "a"]) == "no dead letters\n")
                    #expect(
                        try await site.unstale(["dead-letters", "list"]).contains("\tuser at b\tdead\t1 attempts\t"))
                }
            }
        }
    }

    @Test func rulesNameTheirs() async throws {
        let rules = """
            version: 1
            rules:
              - {name: user, table: users, delete: {keys: ["user:{id}"]}}
              - {name: name, table: users, targets: [b], delete: {keys: ["name:{name}"]}}
            """
        try await Site.withTwoTargets(rules: rules) { site, targets in
            try await site.withWorker { worker in
                for cache in [try await targets.a.cache(), try await targets.b.cache()] {
                    try await cache.set("name:x", "name:xx")
                }
                try await site.change(1...1)
                try await targets.b.wait(for: "name:x", toBe: nil)
                try await targets.a.waitUntilGone([1])
                try await site.waitUntilServed()
                #expect(try await targets.a.cache().has("name:x"))
                let explained = try await site.unstale(["explain", "--key", "name:x"])
                #expect(explained.contains("at b"), "\(explained)")

                // Newer rules are held against the targets too.
                try site.write(rules: rules.replacing("[b]", with: "[b, A1]"))
                worker.signal(SIGHUP)
                try await worker.wait(for: "The new rules are refused")
                let refusal = worker.lines.last { $0.contains("are refused") } ?? ""
                #expect(refusal.contains(":4:45: error: unknown target 'A1'; did you mean 'a'?"), "\(refusal)")
                try site.write(rules: rules.replacing("[b]", with: "[a]"))
                worker.signal(SIGHUP)
                try await worker.wait(for: "The rules were read anew")
                // What the rule had asked for at b alone is within the window.
                try await targets.a.wait(for: "name:x", toBe: nil)
                try await targets.b.cache().set("name:xx")
                try await site.change(1...1)
                try await targets.a.wait(for: "name:xx", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await targets.b.cache().has("name:xx"))
            }
        }
    }

    @Test(arguments: [[], ["--json"]]) func tailOfOne(options: [String]) async throws {
        try await Site.withTwoTargets { site, _ in
            try await site.withWorker(["--admin", "127.0.0.1:0"]) { worker in
                try await worker.wait(for: "The admin port is open")
                let line = worker.lines.first { $0.contains("The admin port is open") } ?? ""
                let address = try #require(line.firstMatch(of: /address=(127\.0\.0\.1:\d+)/)).1
                let both = try site.program(["tail", "--admin", String(address)] + options)
                let one = try site.program(["tail", "--admin", String(address), "--target", "b"] + options)
                let end = options.isEmpty ? "at b: user → user:" : "\"target\":\"b\""
                // Nobody is told of what was served before.
                try await eventually("both follow") {
                    try await site.change(1...1)
                    return both.output.contains(end) && one.output.contains(end)
                        && both.output.contains(options.isEmpty ? "at a: user → user:" : "\"target\":\"a\"")
                }
                let shown = one.output.split(separator: "\n")
                #expect(shown.allSatisfy { $0.contains(end) }, "\(shown)")
                for program in [both, one] { try await program.kill9() }
            }
        }
    }

    @Test func aRuleOfATargetThatThereIsNot() async throws {
        let rules = Users.rules + "\n    targets: [bee]"
        try await Site.withTwoTargets(rules: rules) { site, _ in
            for command in ["run", "check", "replay --all"] {
                let program = try site.program(command.split(separator: " ").map(String.init))
                #expect(try await program.end() == 65)
                #expect(program.lines == ["\(site.rules):6:15: error: unknown target 'bee'"])
            }
        }
    }

    /// Every row of every table of the rules, without a worker.
    @Test func replayOfAll() async throws {
        let rules = Users.rules + "\n  - {name: other, table: others, targets: [b], delete: {keys: [\"other:{id}\"]}}"
        let schema = Users.schema + "; CREATE TABLE others (id int PRIMARY KEY)"
        try await Site.with(rules: rules, schema: schema) { site, a in
            try await RedisServer.with { b in
                var site = site
                try site.configure(["a": a.port, "b": b.port])
                let caches = [try await site.cache(), try await Cache(b.url())]
                for cache in caches { try await cache.set("user:1", "other:1", "else:1") }
                #expect(try await site.unstale(["replay", "--all"]) == "replayed: 2 records\n")
                try await site.withWorker { _ in
                    try await site.waitUntilServed()
                    #expect(try await Set(caches[0].entries().keys) == [Key("other:1"), Key("else:1")])
                    #expect(try await Set(caches[1].entries().keys) == [Key("else:1")])
                    for cache in caches { try await cache.set("user:1", "other:1") }
                    #expect(try await site.unstale(["replay", "--all", "--target", "a"]) == "replayed: 1 record\n")
                    try await site.waitUntilServed()
                    #expect(try await !caches[0].has("user:1"))
                    #expect(try await Set(caches[1].entries().keys) == [Key("user:1"), Key("other:1"), Key("else:1")])
                }
            }
        }
    }

    @Test func forgottenOnes() async throws {
        try await Site.withTwoTargets { site, targets in
            try await site.withWorker { _ in
                try await site.change(1...1)
                try await site.waitUntilServed()
            }
            try await site.connect().sql(
                """
                INSERT INTO unstale.dead_letters (target, rule, action, error, attempts, next_attempt_at)
                VALUES ('b', 'user', '{}', 'e', 1, now()), ('a', 'user', '{}', 'e', 1, now() + interval '1 day')
                """)
            var site = site
            try site.configure(["a": targets.serverA.port])
            #expect(try await site.status().unknownTargets == ["b"])
            let status = try await site.unstale(["status", "--target", "b"])
            #expect(status.contains("unknown: it is not in the settings; 'unstale targets forget b'"), "\(status)")
            for (name, words) in [("a", "'a' is configured"), ("bb", "no target 'bb'; did you mean 'b'?")] {
                let program = try site.program(["targets", "forget", name])
                #expect(try await program.end() == 78)
                #expect(program.lines.count == 1 && program.lines[0].contains(words), "\(program.lines)")
            }
            let forgotten = try await site.unstale(["targets", "forget", "b"])
            #expect(forgotten == "forgotten: b, and 1 failed action of its\n")
            let report = try await site.status()
            #expect(report.unknownTargets == [] && report.targets.map(\.target) == ["a"])
            #expect(report.targets.first?.retrying == 1)
        }
    }
}
