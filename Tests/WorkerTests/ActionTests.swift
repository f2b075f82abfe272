import Redis
import Rules
import TestSupport
import Testing

@testable import Worker

/// Tags, times to live, counters and messages, from a committed change on.
@Suite struct ActionTests {
    private static let schema = """
        CREATE TABLE items (id int PRIMARY KEY, team text NOT NULL, price int NOT NULL DEFAULT 0);
        INSERT INTO items SELECT i, 'a', 0 FROM generate_series(1, 100) i
        """

    private static let rules = """
        version: 1
        rules:
          - name: item
            table: items
            delete: {keys: ["item:{id}"], tags: ["team:{team}"]}
            expire: {keys: ["page:{id}"], in: 30s}
            bump: ["generation:{team}"]
            publish: {channel: items}
            repeat_after: [300ms]
        """

    @Test func aChangeIsServedInEveryWay() async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, redis in
            try await site.withWorker { _ in
                let cache = try await site.cache()
                try await cache.set("item:1", "item:2", "x", "y", "page:1")
                try await cache.send("SADD", "team:a", "x")
                try await cache.send("SADD", "team:b", "y")
                let explained = try await site.unstale(["explain", "--sql", "UPDATE items SET price = 1 WHERE id = 1"])
                for line in [
                    "tag team:a: 1 keys are filed under it", "expire page:1: exists", "bump generation:a: not cached",
                    "publish items",
                ] {
                    #expect(explained.contains("    \(line)\n"), "\(explained)")
                }
                let application = try await site.connect()
                try await application.sql("UPDATE items SET team = 'b' WHERE id = 1")
                try await site.waitUntilServed()
                #expect(try await cache.hasAny(of: ["item:1", "x", "y", "team:a", "team:b"].map { Key($0) }) == false)
                #expect(try await cache.has("item:2"))
                #expect(try await cache.send("GET", "generation:a") == .bulk([49]))
                #expect(try await cache.send("GET", "generation:b") == .bulk([49]))
                guard case .integer(let left) = try await cache.send("PTTL", "page:1") else {
                    throw TestError("no TTL")
                }
                #expect(left > 0 && left <= 30_000)
                try await cache.set("x")
                try await cache.send("SADD", "team:z", "x")
                try await application.sql("TRUNCATE items")
                try await site.waitUntilServed()
                #expect(try await cache.hasAny(of: ["item:2", "x", "team:z"].map { Key($0) }) == false)
            }
        }
    }

    /// A reader that is loading an entry while any row may have changed doesn't store it: its token is gone.
    @Test(arguments: [true, false]) func noReaderStoresBehindAChangeOfAnyRow(isFenced: Bool) async throws {
        let rules = """
            version: 1
            rules:
              - name: item
                table: items
                fence: \(isFenced)
                expire: {keys: ["page:{id}"], in: 30s}
            """
        try await Site.with(rules: rules, schema: Self.schema) { site, _ in
            try await site.withWorker { _ in
                let cache = try await site.cache()
                try await cache.set("unstale:fence:page:1", "unstale:fence:other:1")
                try await site.connect().sql("TRUNCATE items")
                try await site.waitUntilServed()
                #expect(try await cache.has("unstale:fence:page:1") == !isFenced)
                #expect(try await cache.has("unstale:fence:other:1"))
            }
        }
    }

    /// Somebody's value under a tag's name is no reason to stop, and none to delete it.
    @Test func aTagThatIsNoneIsALetter() async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, redis in
            try await site.withWorker(["--attempts", "1"]) { _ in
                let cache = try await site.cache()
                try await cache.set("team:a", "x", "item:1", "item:2")
                let application = try await site.connect()
                try await application.sql("UPDATE items SET price = 1 WHERE id = 1")
                try await eventually("a dead letter") { try await site.status().targets.first?.deadLetters == 1 }
                try await site.waitUntilServed()
                #expect(try await cache.has("team:a"))
                #expect(try await cache.has("item:1") == false)
                let letters = try await site.unstale(["dead-letters", "list"])
                #expect(letters.contains("item\tdead\t1 attempts\tWRONGTYPE"), "\(letters)")
                let id = letters.prefix { $0 != "\t" }
                #expect(try await site.unstale(["dead-letters", "show", "\(id)"]).contains("team:a"))
                try await cache.send("UNLINK", "team:a")
                try await cache.send("SADD", "team:a", "x")
                try await site.unstale(["dead-letters", "redrive", "\(id)"])
                try await eventually("the tag is emptied") { try await cache.has("x") == false }
                try await site.waitUntilServed()
                #expect(try await site.unstale(["dead-letters", "list"]) == "no dead letters\n")
            }
        }
    }

    /// What a worker took away from a tag and did not delete, the next one does.
    @Test func aKilledWorkerLeavesNothingBehind() async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, redis in
            let cache = try await site.cache()
            let filed = (0..<50_000).map { Key("filed:\($0)") }
            try await cache.set(Dictionary(filed.map { ($0, "cached") }) { $1 })
            let filing = "for i = 0, 49999 do redis.call('SADD', KEYS[1], 'filed:' .. i) end"
            try await cache.send("EVAL", filing, "1", "team:a")
            let first = try site.startWorker()
            try await first.waitUntilServing()
            try await site.connect().sql("UPDATE items SET price = 1 WHERE id = 1")
            try await eventually("it has begun") {
                try await cache.has("unstale:tag:team:a")
            }
            try await first.kill9()
            try await site.withWorker { _ in
                try await eventually("all are gone") { try await !cache.hasAny(of: filed) }
                try await site.waitUntilServed()
                #expect(
                    try await cache.hasAny(of: ["unstale:tag:team:a", "unstale:tag-token:team:a"].map { Key($0) })
                        == false)
            }
        }
    }

    /// Rules that ask for something else are served for the whole window.
    @Test func otherRulesAreAnotherVersion() throws {
        let rules = [
            "delete: {tags: ['t:{id}']}", "delete: {tags: ['u:{id}']}", "delete: {keys: ['k:{id}?*']}",
            "delete: {patterns: ['k:{id}?*']}", "expire: {keys: ['e:{id}'], in: 1s}",
            "expire: {keys: ['e:{id}'], in: 2s}", "bump: [g]", "publish: {channel: c}", "publish: {channel: d}",
            "publish: {channel: c, message: m}", "where: new.a > 1\n    bump: [g]", "where: new.a > 2\n    bump: [g]",
            "columns: [a]\n    bump: [g]", "columns: [b]\n    bump: [g]", "on: [insert]\n    bump: [g]",
            "lookup: select :a as n\n    delete: {keys: ['k:{n}']}",
            "lookup: select :new.a as n\n    delete: {keys: ['k:{n}']}",
            "rewarm: [{key: 'k:{id}', http: {url: 'http://h/{id}'}, ttl: 1m}]",
            "rewarm: [{key: 'k:{id}', http: {url: 'http://h/{new.id}'}, ttl: 1m}]",
            "rewarm: [{key: 'k:{id}', http: {url: 'http://h/{id}', headers: {X-Cache-Bypass: '1'}}, ttl: 1m}]",
        ]
        let versions = try rules.map { rule in
            try RuleSet.parse("version: 1\nrules:\n  - name: r\n    table: t\n    \(rule)\n").rules.version
        }
        #expect(Set(versions).count == rules.count)
    }
}
