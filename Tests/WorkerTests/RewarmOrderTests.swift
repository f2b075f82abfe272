import Postgres
import Rules
import TestSupport
import Testing
import Worker

/// Loaders that are given what the entry's key doesn't say: an older change never has its value stored over a newer one's.
@Suite struct RewarmOrderTests {
    private static let schema = """
        CREATE TABLE members (id int PRIMARY KEY, team int);
        INSERT INTO members VALUES (1, 4), (2, 4);
        CREATE TABLE teams (id int PRIMARY KEY, name text, divisor int);
        INSERT INTO teams VALUES (4, 'four', 1), (5, 'five', 0), (6, 'six', 1)
        """

    private static let sql = "sql: \"select t.name from teams t where t.id = :team\""

    private static func rules(_ loader: String) -> String {
        """
        version: 1
        rules:
          - name: member
            table: members
            rewarm: [{key: "member:{id}:team", \(loader), ttl: 1h}]
            delete: {keys: ["seen:{id}:{team}"]}
        """
    }

    /// What failed to load is not loaded after a newer change has been.
    @Test func redrive() async throws {
        let rules = Self.rules("sql: \"select repeat(t.name, 1 / t.divisor) from teams t where t.id = :team\"")
        try await Site.with(rules: rules, schema: Self.schema) { site, _ in
            try await site.withWorker(["--attempts", "1"]) { worker in
                let application = try await site.connect()
                try await site.cache().set("member:1:team")
                try await application.sql("UPDATE members SET team = 5 WHERE id = 1")
                try await worker.wait(for: "An action failed")
                try await site.wait(for: "member:1:team", toBe: nil)
                try await application.sql("UPDATE members SET team = 6 WHERE id = 1")
                try await site.wait(for: "member:1:team", toBe: "six")
                try await application.sql("UPDATE teams SET divisor = 1")
                #expect(try await site.unstale(["dead-letters", "redrive", "--all"]) == "redriven: 1\n")
                try await site.wait(for: "member:1:team", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await site.unstale(["dead-letters", "list"]) == "no dead letters\n")
                #expect(try await !site.cache().has("member:1:team"))
            }
        }
    }

    /// What a lookup leads to when it is tried again is told by an older change too.
    @Test func redriveOfALookup() async throws {
        let rules = """
            version: 1
            rules:
              - name: line
                table: lines
                lookup: select o.number::int as number from orders o where o.id = :order_id
                rewarm: [{key: "order:{number}", sql: "select :new.status", ttl: 1h}]
            """
        let schema = """
            CREATE TABLE orders (id int PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id int, status text);
            INSERT INTO orders VALUES (1, 'thirteen');
            INSERT INTO lines VALUES (1, 1, 'open')
            """
        try await Site.with(rules: rules, schema: schema) { site, _ in
            try await site.withWorker(["--attempts", "1"]) { worker in
                let application = try await site.connect()
                try await application.sql("UPDATE lines SET status = 'paid'")
                try await worker.wait(for: "An action failed")
                try await application.sql("UPDATE orders SET number = '13'; UPDATE lines SET status = 'sent'")
                try await site.wait(for: "order:13", toBe: "sent")
                #expect(try await site.unstale(["dead-letters", "redrive", "--all"]) == "redriven: 1\n")
                try await site.wait(for: "order:13", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await !site.cache().has("order:13"))
            }
        }
    }

    /// Records come by their transactions' numbers: of a window that takes several pages, the last one may tell of the
    /// first commit.
    @Test func aWindowOfSeveralPages() async throws {
        try await Site.with(rules: Self.rules(Self.sql), schema: Self.schema) { site, _ in
            let (first, application) = (try await site.connect(), try await site.connect())
            // Each record is a page, and is done with before the next is read.
            try await site.withWorkerInside(change: { ($0.batchSize, $0.inFlightLimit) = (1, 1) }) { worker in
                try await application.sql("UPDATE members SET team = 4 WHERE id = 1")
                try await site.wait(for: "member:1:team", toBe: "four")
                #expect(worker.hold(true))
                try await application.sql("UPDATE members SET team = 5 WHERE id = 1")
                try await eventually("it is read") { worker.status.targets[0].backlog > 0 }
                try await first.sql("BEGIN; SELECT pg_current_xact_id()")
                try await application.sql("UPDATE members SET team = 5 WHERE id = 1")
                try await first.sql("UPDATE members SET team = 6 WHERE id = 1; COMMIT")
                try await site.cache().set("member:1:team", "seen:1:5")
                #expect(worker.hold(false))
                try await site.wait(for: "seen:1:5", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await !site.cache().has("member:1:team"))
                // What comes in the order of commits is loaded.
                try await application.sql("UPDATE members SET team = 4 WHERE id = 1")
                try await site.wait(for: "member:1:team", toBe: "four")
            }
        }
    }

    /// The last session may have ended between two pages, so what waits may be older than what that one has served.
    @Test func whatWaitsAtTheStart() async throws {
        try await Site.with(rules: Self.rules(Self.sql), schema: Self.schema) { site, _ in
            try await site.withWorkerInside { _ in try await site.waitUntilServed() }
            try await site.connect().sql("UPDATE members SET team = 5 WHERE id = 1")
            try await site.cache().set("member:1:team")
            try await site.withWorkerInside { _ in
                try await site.wait(for: "member:1:team", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await !site.cache().has("member:1:team"))
            }
        }
    }

    enum Occasion: CaseIterable { case newRules, anotherRedis, order }

    /// What is served once more may be an older change alone: the newer one's record is not there any more.
    @Test(arguments: Occasion.allCases) func aReplay(on occasion: Occasion) async throws {
        let rules = Self.rules(Self.sql)
        try await Site.with(rules: rules, schema: Self.schema) { site, redis in
            try await site.withWorkerInside { worker in
                let application = try await site.connect()
                for (team, name) in [(5, "five"), (6, "six")] {
                    try await application.sql("UPDATE members SET team = \(team) WHERE id = 1")
                    try await site.wait(for: "member:1:team", toBe: name)
                }
                try await application.sql("DELETE FROM unstale.outbox WHERE id = (SELECT max(id) FROM unstale.outbox)")
                switch occasion {
                case .newRules:
                    let other = "\n  - {name: other, table: members, delete: {keys: [\"other:{id}\"]}}"
                    worker.reload(try RuleSet.parse(rules + other).rules)
                case .anotherRedis:
                    #expect(worker.hold(true))
                    try await redis.kill9()
                    try await redis.start()
                    try await site.cache().set([Key("member:1:team"): "six"])
                    #expect(worker.hold(false))
                case .order:
                    #expect(try await site.unstale(["replay", "--since", "10m"]) == "replayed: 1 record\n")
                }
                try await site.wait(for: "member:1:team", toBe: nil)
                try await site.waitUntilServed()
                #expect(try await !site.cache().has("member:1:team"))
            }
        }
    }

    /// A load that waits for its turn is none any more once a change has come that has nothing to load.
    @Test func aLoadThatWaits() async throws {
        try await withHeldLoader("concurrency: 1, deadline: 20s") { site, peer, application in
            try await site.cache().set("member:1:team", "member:2:team", "seen:1:5")
            try await application.sql("UPDATE members SET team = 6 WHERE id = 2")
            try await eventually("a load is under way") { peer.holding == 1 }
            // A batch of its own, which waits for the load.
            try await application.sql("UPDATE members SET team = 5 WHERE id = 1")
            try await site.wait(for: "seen:1:5", toBe: nil)
            try await application.sql("UPDATE members SET team = null WHERE id = 1")
            try await site.wait(for: "member:1:team", toBe: nil)
            peer.release()
            try await site.wait(for: "member:2:team", toBe: "body")
            try await eventually("all is done") {
                peer.release()
                return try await site.isServed(application)
            }
            #expect(try await !site.cache().has("member:1:team"))
        }
    }

    /// What the application fills while it is asked goes again, where changes disagree on what it is asked for.
    @Test func aTouchThatIsDisputed() async throws {
        try await withHeldLoader("touch: true, deadline: 20s") { site, peer, application in
            try await site.cache().set("member:1:team", "seen:1:6")
            try await application.sql("UPDATE members SET team = 5 WHERE id = 1")
            try await eventually("the application is asked") { peer.holding == 1 }
            // This one waits for it, and has the application asked once more.
            try await application.sql("UPDATE members SET team = 6 WHERE id = 1")
            try await site.wait(for: "seen:1:6", toBe: nil)
            peer.release()
            try await eventually("it is asked once more") { peer.holding == 1 }
            try await site.cache().set("member:1:team")
            peer.release()
            try await site.wait(for: "member:1:team", toBe: nil)
            try await site.waitUntilServed()
        }
    }

    /// Lends a site whose loader asks a peer, which answers when it is released, and a session of the application.
    private func withHeldLoader(
        _ options: String, isolation: isolated (any Actor)? = #isolation,
        _ body: (Site, HTTPPeer, PostgresConnection) async throws -> Void
    ) async throws {
        let respond: @Sendable (HTTPPeer.Request) -> [HTTPPeer.Step] = { _ in
            [.hold, .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")]
        }
        try await HTTPPeer.with(respond: respond) { peer in
            let rules = Self.rules("http: {url: \"http://127.0.0.1:\(peer.port)/teams/{team}\"}, \(options)")
            try await Site.with(rules: rules, schema: Self.schema) { site, _ in
                try await site.withWorker { _ in try await body(site, peer, try await site.connect()) }
            }
        }
    }
}
