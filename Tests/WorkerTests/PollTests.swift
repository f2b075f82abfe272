import Postgres
import TestSupport
import Testing

/// `wake: poll`, for poolers and for applications that prepare transactions, which NOTIFY forbids.
@Suite struct PollTests {
    @Test func preparedTransactions() async throws {
        try await Site.withUsers(install: ["--wake", "poll"]) { site, _ in
            var worker = try site.startWorker()
            try await worker.waitUntilServing()
            #expect(worker.count("wake=poll") == 1)
            let application = try await site.connect()
            for user in 1...10 {
                try await application.sql(
                    "BEGIN; UPDATE users SET name = 'new' WHERE id = '\(user)'; PREPARE TRANSACTION 'p\(user)'"
                )
            }
            try await site.change(11...20)
            try await site.waitUntilGone(11...20)
            try await site.expectUntouched(1...10)
            // Prepared transactions outlive sessions, and workers.
            try await worker.kill9()
            worker = try site.startWorker()
            try await worker.waitUntilServing()
            for user in (1...10).reversed() {
                try await application.sql("\(user % 2 == 0 ? "COMMIT" : "ROLLBACK") PREPARED 'p\(user)'")
                if user % 2 == 0 { try await site.waitUntilGone([user]) }
            }
            try await site.waitUntilServed()
            try await site.expectUntouched([1, 3, 5, 7, 9])
            try await site.expectUntouched(21...200)
            #expect(try await worker.terminate() == 0)
        }
    }

    /// Whatever the worker sets for its lookups, and `check` for conditions, is not set for whoever has the connection next:
    /// with one role for both that is the application.
    @Test func behindAPooler() async throws {
        let rules = """
            version: 1
            rules:
              - name: order
                table: lines
                where: new.amount > 0
                lookup: select o.number from orders o where o.id = :order_id
                delete: {keys: ["order:{number}"]}
            """
        let schema = """
            CREATE TABLE orders (id int PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id int, amount int);
            INSERT INTO orders SELECT n, 'n' || n FROM generate_series(1, 20) AS n
            """
        try await Site.with(rules: rules, schema: schema, install: ["--wake", "poll"]) { site, _ in
            try await PgBouncer.with { pooler in
                var site = site
                let name = try #require(site.database.split(separator: "/").last)
                site.database = pooler.url(database: String(name))
                try await site.withWorker { worker in
                    let cache = try await site.cache()
                    for order in 1...20 {
                        try await cache.set("order:n\(order)")
                        // A session that begins sets what it needs, and gives the connection back.
                        if order % 5 == 0 { try await site.unstale(["check"]) }
                        let application = try await site.connect()
                        try await application.sql("INSERT INTO lines VALUES (\(order), \(order), 1)")
                        try await site.wait(for: "order:n\(order)", toBe: nil)
                    }
                    #expect(worker.count("Serving") == 1)
                }
                let application = try await site.connect()
                for _ in 0..<20 {
                    #expect(try await application.value("SHOW search_path") == "\"$user\", public")
                    #expect(try await application.value("SHOW default_transaction_read_only") == "off")
                }
            }
        }
    }

    /// Nobody listens, and nobody holds a lock but the one that leads.
    @Test func noNotifications() async throws {
        try await Site.withUsers(install: ["--wake", "poll"]) { site, _ in
            try await site.withWorker { _ in
                let application = try await site.connect()
                try await application.sql("LISTEN unstale")
                try await site.change(1...20)
                try await site.waitUntilGone(1...20)
                #expect(try await !application.waitForNotification(within: .milliseconds(100)))
                #expect(
                    try await application.value(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1") == "0")
            }
        }
    }

    /// A worker follows what install made of the capture.
    @Test func changesOver() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { worker in
                #expect(worker.count("wake=notify") == 1)
                try await site.unstale(["install", "--wake", "poll"])
                try await worker.wait(for: "wake=poll", within: .seconds(30))
                try await site.change(1...20)
                try await site.waitUntilGone(1...20)
            }
        }
    }
}
