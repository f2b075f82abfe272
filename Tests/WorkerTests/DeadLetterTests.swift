import FoundationEssentials
import Postgres
import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

/// An action that fails on its own account is tried with backoff and then is a dead letter; others flow past it.
@Suite struct DeadLetterTests {
    @Test func poisonedKey() async throws {
        try await Site.withProxiedUsers { site, proxy in
            try await site.withWorker(["--attempts", "3"]) { worker in
                let poison = Array("user:13".utf8)
                proxy.poison(
                    poison, with: "WRONGTYPE Operation against a key holding the wrong kind of value")
                // In one command with its neighbours.
                try await site.connect().sql("UPDATE users SET name = 'new' WHERE id::int BETWEEN 1 AND 50")
                try await site.waitUntilGone(Set(1...50).subtracting([13]))
                let latencies = try await latencies(site, of: 51...200, until: "dead letter now", by: worker)
                #expect(latencies.sorted()[latencies.count / 2] < .milliseconds(100))
                #expect(worker.count("An action failed and will be tried again") == 1)
                #expect(try await site.cache().has("user:13"))

                try await site.waitUntilServed()
                let target = try await site.status().targets.first
                #expect(target?.deadLetters == 1 && target?.retrying == 0 && target?.backlog == 0)
                let list = try await site.unstale(["dead-letters", "list"])
                #expect(list.contains("1\tuser\tdead\t3 attempts\tWRONGTYPE"))
                let letter = try await site.unstale(["dead-letters", "show", "1"])
                #expect(
                    letter.contains("user:13") && letter.contains("attempts: 3")
                        && letter.contains("it is dead"))

                proxy.poison(poison, with: nil)
                #expect(try await site.unstale(["dead-letters", "redrive", "1"]) == "redriven: 1\n")
                try await site.waitUntilGone([13])
                try await site.waitUntilServed()
                #expect(try await site.unstale(["dead-letters", "list"]) == "no dead letters\n")
            }
        }
    }

    /// A key that fails and fails, at every change, is one letter.
    @Test func hotPoison() async throws {
        try await Site.withProxiedUsers { site, proxy in
            try await site.withWorker(["--attempts", "2"]) { worker in
                proxy.poison(Array("user:13".utf8), with: "ERR no")
                let application = try await site.connect()
                func letters() async throws -> String? {
                    try await application.value(
                        "SELECT count(*) FILTER (WHERE dead_at IS NULL) || ' ' || count(dead_at) FROM unstale.dead_letters"
                    )
                }
                for death in 1...2 {
                    for _ in 1...100 { try await site.change(13...13) }
                    try await eventually("dead letter \(death)") { try await letters() == "0 1" }
                    try await site.waitUntilServed()
                    #expect(try await letters() == "0 1")
                }
                // What fails in the same way again and again is said once, and counted.
                #expect((1...4).contains(worker.count("will be tried again")))
            }
        }
    }

    @Test func outlivesTheWorker() async throws {
        try await Site.withProxiedUsers { site, proxy in
            let worker = try site.startWorker()
            try await worker.waitUntilServing()
            for user in 1...3 { proxy.poison(Array("user:\(user)".utf8), with: "ERR no") }
            try await site.change(1...3)
            let application = try await site.connect()
            try await eventually("three are parked") {
                try await application.value("SELECT count(DISTINCT action) FROM unstale.dead_letters") == "3"
            }
            try await worker.kill9()
            for user in 1...2 { proxy.poison(Array("user:\(user)".utf8), with: nil) }
            try await site.withWorker(["--attempts", "2"]) { worker in
                try await site.waitUntilGone([1, 2])
                try await worker.wait(for: "An action is a dead letter now")
            }
            // What had been parked when the worker was killed may be parked once more.
            let list = try await site.unstale(["dead-letters", "list"])
            #expect(list.contains("\tuser\tdead\t2 attempts\tERR no"))
            let letters = list.split(separator: "\n").compactMap {
                $0.split(separator: "\t").first.map(String.init)
            }
            let discarded = try await site.unstale(["dead-letters", "discard"] + letters)
            #expect(discarded == "discarded: \(letters.count)\n")
            #expect(try await site.unstale(["dead-letters", "list"]) == "no dead letters\n")
        }
    }

    /// Keys are bytes, and Postgres' JSON and text are not: what is parked is what is tried again.
    @Test func keysThatAreNoText() async throws {
        try await Site.withUsers { site, _ in
            let letters = DeadLetters(connection: try await site.connect(), policy: RetryPolicy(attempts: 1))
            let keys = [Array("a}\0b".utf8), [0xff], Array("user:1".utf8)].map { Key(bytes: $0) }
            let other = Key(bytes: [0, 0xfe])
            let actions: [Action] =
                keys.map { Action.delete(key: $0) } + [
                    .tag(key: other), .bump(key: other), .expire(key: other, milliseconds: 5),
                    .publish(message: ByteText(bytes: [0, 0xfd])),
                ]
            let failures = actions.map { FailedAction(rule: "user", action: $0, reason: "ERR \0 no", summary: "ERR") }
            // What is dead already is not parked once more.
            for _ in 0..<2 { try await letters.park(failures, target: "default") }
            let parked = try await letters.all()
            let found = try parked.map { try JSONDecoder().decode(Action.self, from: Data($0.action.utf8)) }
            #expect(found == actions)
            #expect(parked.allSatisfy { $0.error == "ERR \u{2400} no" })
            let planner = Planner(rules: try RuleSet.parse(Users.rules).rules, manifests: [:])
            #expect(try parked.prefix(3).map { try $0.plan(planner).keys.map(\.key) } == keys.map { [$0] })
            #expect(try parked[3].plan(planner).actions.map(\.key) == [other])

            #expect(try await letters.failedAgain(parked[0], reason: "ERR \0"))
            #expect(try await letters.letter(parked[0].id)?.error == "ERR \u{2400}")
            let list = try await site.unstale(["dead-letters", "list"]).split(separator: "\n")
            #expect(list.count == actions.count)
            let shown = try await site.unstale(["dead-letters", "show", "\(parked[1].id)"])
            #expect(shown.contains(#"action: {"delete": {"key": {"base64": "/w=="}}}"#))
            // As letters were before.
            var old = parked[0]
            old.action = #"{"delete": {"key": "user:1"}}"#
            #expect(try old.plan(planner).keys.map(\.key) == [Key("user:1")])
        }
    }

    /// A pattern finds such keys, and a redrive deletes those and no others.
    @Test func keysThatAreNoTextAreRedriven() async throws {
        try await Site.withProxiedUsers { site, proxy in
            let poison = [Array("user:a}\0b".utf8), Array("user:".utf8) + [0xff]]
            let cache = try await site.cache()
            try await cache.set(Dictionary(poison.map { (Key(bytes: $0), "cached") }) { $1 })
            for key in poison { proxy.poison(key, with: "ERR no") }
            try await site.withWorker(["--attempts", "2"]) { _ in
                let application = try await site.connect()
                try await application.sql("TRUNCATE users")
                try await eventually("two dead letters") {
                    try await application.value("SELECT count(dead_at) FROM unstale.dead_letters") == "2"
                }
                #expect(Set(try await cache.entries().keys.map(\.bytes)) == Set(poison))
                for key in poison { proxy.poison(key, with: nil) }
                #expect(try await site.unstale(["dead-letters", "redrive", "--all"]) == "redriven: 2\n")
                try await eventually("they are gone") { try await cache.entries().isEmpty }
            }
        }
    }

    /// A lookup that fails for some rows is told apart from those that work, of the same batch.
    @Test func failingLookup() async throws {
        let schema = """
            CREATE TABLE orders (id int PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id int);
            INSERT INTO orders SELECT n, CASE n WHEN 13 THEN 'thirteen' ELSE n::text END FROM generate_series(1, 50) AS n;
            INSERT INTO lines SELECT n, n FROM generate_series(1, 50) AS n;
            """
        let rules = """
            version: 1
            rules:
              - name: line
                table: lines
                lookup: select o.number::int as number from orders o where o.id = :order_id
                delete: {keys: ["order:{number}"]}
            """
        try await Site.with(rules: rules, schema: schema) { site, _ in
            let orders = (1...50).map { Key("order:\($0)") }
            try await site.cache().set(Dictionary(orders.map { ($0, "cached") }) { $1 })
            try await site.withWorker(["--attempts", "2"]) { worker in
                let application = try await site.connect()
                try await application.sql("UPDATE lines SET id = id + 100")
                try await eventually("all others gone") {
                    try await site.cache().entries().keys.map(\.description) == ["order:13"]
                }
                try await worker.wait(for: "An action is a dead letter now", within: .seconds(30))
                #expect(worker.count("SQLSTATE 22P02") >= 2)
                let letter = try await site.unstale(["dead-letters", "show", "1"])
                #expect(letter.contains("invalid input syntax for type integer"))
                #expect(letter.contains("rule: line"))
                try await application.sql("UPDATE orders SET number = '13' WHERE id = 13")
                #expect(try await site.unstale(["dead-letters", "redrive", "--all"]) == "redriven: 1\n")
                try await eventually("the last one gone") { try await !site.cache().has("order:13") }
            }
        }
    }

    /// A lookup that takes too long for many changes is run for all of them once, and then for each alone; the other
    /// rules' lookups wait for one of these queries at most.
    @Test func slowLookup() async throws {
        let schema = """
            CREATE TABLE orders (id int PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id int);
            CREATE TABLE notes (id int PRIMARY KEY, order_id int);
            INSERT INTO orders SELECT n, n::text FROM generate_series(1, 8) AS n;
            INSERT INTO lines SELECT n, n FROM generate_series(1, 8) AS n;
            INSERT INTO notes SELECT n, n FROM generate_series(1, 8) AS n
            """
        let rules = """
            version: 1
            rules:
              - name: slow
                table: lines
                lookup: select o.number, pg_sleep(60) from orders o where o.id = :order_id
                delete: {keys: ["slow:{number}"]}
              - name: note
                table: notes
                lookup: select o.number from orders o where o.id = :order_id
                delete: {keys: ["order:{number}"]}
            """
        try await Site.with(rules: rules, schema: schema) { site, _ in
            try await site.cache().set("order:1", "order:2")
            try await site.withWorker { _ in
                let application = try await site.connect()
                try await application.sql(
                    "BEGIN; UPDATE lines SET id = id + 100; UPDATE notes SET id = 101 WHERE id = 1; COMMIT")
                // Eight queries one after the other would take 40 s.
                try await site.wait(for: "order:1", toBe: nil, within: .seconds(15))
                let letters = "SELECT count(*) FROM unstale.dead_letters WHERE rule = 'slow'"
                try await eventually("all are parked") { try await application.value(letters) == "8" }
                try await site.unstale(["dead-letters", "redrive"] + (1...8).map(String.init))
                try await eventually("one is tried") {
                    try await application.value(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()
                        """) == "1"
                }
                try await application.sql("UPDATE notes SET id = 102 WHERE id = 2")
                try await site.wait(for: "order:2", toBe: nil, within: .seconds(15))
            }
        }
    }

    /// What a lookup leads to when it is tried again is deleted once more a minute later. Until then others are tried,
    /// and it is not.
    @Test func repeatsHoldUpNoOtherLetter() async throws {
        let schema = """
            CREATE TABLE orders (id int PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id int);
            INSERT INTO orders SELECT n, 'number ' || n FROM generate_series(1, 3) AS n;
            INSERT INTO lines SELECT n, n FROM generate_series(1, 3) AS n
            """
        let rules = Self.lineRules(#""order:{number}""#) + "\n    repeat_after: [60s]"
        try await Site.with(rules: rules, schema: schema) { site, _ in
            try await site.withWorker(["--attempts", "1"]) { _ in
                let application = try await site.connect()
                let cache = try await site.cache()
                try await application.sql("UPDATE lines SET id = id + 100")
                try await eventually("three dead letters") {
                    try await application.value("SELECT count(dead_at) FROM unstale.dead_letters") == "3"
                }
                try await application.sql("UPDATE orders SET number = id::text")
                try await cache.set("order:1", "order:2", "order:3")
                #expect(try await site.unstale(["dead-letters", "redrive", "1", "2"]) == "redriven: 2\n")
                try await eventually(within: .seconds(20), "two are gone") { try await cache.entries().count == 1 }
                let last = try #require(try await cache.entries().keys.first)
                try await cache.set("order:1", "order:2", "order:3")
                #expect(try await site.unstale(["dead-letters", "redrive", "3"]) == "redriven: 1\n")
                try await site.wait(for: last.description, toBe: nil)
                #expect(try await cache.entries().count == 2)
            }
        }
    }

    /// Rules for orders whose lines change, with these keys behind a lookup that fails for a number in words.
    private static func lineRules(_ keys: String) -> String {
        """
        version: 1
        rules:
          - name: line
            table: lines
            lookup: select o.number::int as number from orders o where o.id = :order_id
            delete: {keys: [\(keys)]}
        """
    }

    /// Lends a site whose only letter is dead: that of a lookup for a line that is paid now, of the order 13.
    private func withFailedLookup(_ body: (Site) async throws -> Void) async throws {
        let schema = """
            CREATE TABLE orders (id int PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id int, region text, status text);
            INSERT INTO orders VALUES (1, 'thirteen');
            INSERT INTO lines VALUES (1, 1, 'eu', 'open')
            """
        try await Site.with(rules: Self.lineRules(#""order:{number}:{new.status}""#), schema: schema) { site, _ in
            let application = try await site.connect()
            try await site.withWorker(["--attempts", "1"]) { worker in
                try await application.sql("UPDATE lines SET status = 'paid'")
                try await worker.wait(for: "An action failed")
                try await site.waitUntilServed()
            }
            try await application.sql("UPDATE orders SET number = '13'")
            try await body(site)
        }
    }

    /// What a letter holds is not taken for other columns' values: what its keys may be now goes.
    @Test(arguments: [
        #""order:{number}:{new.status}", "order:{number}:{new.region}""#, #""order:{number}:{new.region}""#,
    ])
    func lookupOfARuleThatTakesOtherColumns(keys: String) async throws {
        try await withFailedLookup { site in
            try site.write(rules: Self.lineRules(keys))
            try await site.unstale(["install"])
            try await site.cache().set("order:0:before")
            try await site.withWorker(["--attempts", "1"]) { worker in
                // The new rules see the window once more, whose records lack a column: that of any row goes.
                try await site.wait(for: "order:0:before", toBe: nil)
                try await site.cache().set("order:13:eu", "order:13:paid", "lines")
                #expect(try await site.unstale(["dead-letters", "redrive", "--all"]) == "redriven: 1\n")
                try await site.wait(for: "order:13:eu", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await site.unstale(["dead-letters", "list"]) == "no dead letters\n")
                #expect(try await site.cache().has("lines"))
                #expect(worker.count("] Serving") == 1)
            }
        }
    }

    /// A letter that nobody can carry out any more is not taken for done.
    @Test func lookupOfARuleThatHasNone() async throws {
        try await withFailedLookup { site in
            try site.write(
                rules: "version: 1\nrules: [{name: line, table: lines, delete: {keys: [\"order:{order_id}\"]}}]")
            try await site.unstale(["install"])
            try await site.withWorker(["--attempts", "1"]) { worker in
                try await site.waitUntilServed()
                #expect(try await site.unstale(["dead-letters", "redrive", "--all"]) == "redriven: 1\n")
                try await worker.wait(for: "An action is a dead letter now")
                #expect(try await site.unstale(["dead-letters", "list"]).contains("has no lookup any more"))
            }
        }
    }

    /// Changes users one after the other until the log has this text, and gives how long each key took to go.
    private func latencies(
        _ site: Site, of users: ClosedRange<Int>, until text: String, by worker: Program
    ) async throws -> [Duration] {
        let cache = try await site.cache()
        let application = try await site.connect()
        var latencies: [Duration] = []
        repeat {
            let user = users.lowerBound + latencies.count % users.count
            try await cache.set("user:\(user)")
            try await application.sql("UPDATE users SET name = 'other' WHERE id = '\(user)'")
            let start = ContinuousClock.now
            try await eventually("user:\(user) is gone") { try await !cache.has("user:\(user)") }
            latencies.append(.now - start)
        } while worker.count(text) == 0
        return latencies
    }
}
