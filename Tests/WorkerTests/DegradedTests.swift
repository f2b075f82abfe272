import Postgres
import Rules
import TestSupport
import Testing

/// A capture that is not what the rules need: the application's writes go on, `status` says what is wrong, and what
/// may have been missed counts as changed.
@Suite struct DegradedTests {
    private static let schema = """
        CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL DEFAULT '', email text);
        INSERT INTO users SELECT n, '', 'e' || n FROM generate_series(1, 200) AS n
        """
    private static let rules = """
        version: 1
        rules:
          - name: user
            table: users
            delete: {keys: ["user:{id}", "by-email:{email}"]}
        """
    private static let mendedRules = """
        version: 1
        rules:
          - name: user
            table: users
            delete: {keys: ["user:{id}", "by-mail:{id}"]}
        """
    private let quick = ["CHECK_INTERVAL": "200ms"]

    /// A record that nobody can explain may be about any row.
    @Test func recordOfAnUnknownCapture() async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, _ in
            try await site.cacheUsers()
            try await site.cache().set("by-email:e7", "other:1")
            let application = try await site.connect()
            try await site.withWorker(settings: quick) { worker in
                try await site.waitUntilServed()
                try await application.sql(
                    "INSERT INTO unstale.outbox (capture, op, rules) VALUES (999, 't', -1)")
                try await eventually("the keys went by pattern") {
                    try await site.cache().entries().keys.map(\.description) == ["other:1"]
                }
                #expect(worker.count("Records of an unknown capture") == 1)
                try await site.cacheUsers()
                try await site.change(5...5)
                try await site.waitUntilGone([5])
                try await site.expectUntouched([1, 200])
            }
        }
    }

    @Test(arguments: ["DROP COLUMN email", "RENAME COLUMN email TO mail"])
    func columnIsGone(change: String) async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, _ in
            try await site.cacheUsers()
            let application = try await site.connect()
            try await site.withWorker(settings: quick) { worker in
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try await site.expectUntouched(2...200)

                try await site.cache().set("by-email:e7", "other:1")
                try await application.sql("ALTER TABLE users \(change)")
                try await site.change(1...1)
                try await application.sql(
                    "INSERT INTO users (id) VALUES ('new'); DELETE FROM users WHERE id = '3'")
                try await eventually("the keys went by pattern") {
                    try await site.cache().entries().keys.map(\.description) == ["other:1"]
                }
                try await worker.wait(for: "column 'email' of public.users is gone")
                #expect(worker.count("A capture could not tell which rows changed") >= 1)
                let status = try await site.status()
                #expect(status.degraded.contains { $0.contains("column 'email' of public.users is gone") })
                #expect(try await site.unstale(["status"]).contains("capture: degraded"))
            }
            try site.write(rules: Self.mendedRules)
            try await site.unstale(["install"])
            try await site.withWorker(settings: quick) { worker in
                try await site.waitUntilServed()
                try await site.cacheUsers()
                try await eventually("up to date") { try await site.status().degraded == [] }
                try await site.change(5...5)
                try await site.waitUntilGone([5])
                try await site.expectUntouched(Set(1...200).subtracting([5]))
                #expect(worker.count("Degraded") == 0)
            }
        }
    }

    /// The worker that was there all the time goes on as before.
    @Test func columnComesBack() async throws {
        try await Site.with(rules: Self.rules, schema: Self.schema) { site, _ in
            let application = try await site.connect()
            try await site.withWorker(settings: quick) { worker in
                try await application.sql("ALTER TABLE users RENAME COLUMN email TO mail")
                try await worker.wait(for: "] Degraded")
                try await application.sql("ALTER TABLE users RENAME COLUMN mail TO email")
                try await worker.wait(for: "No longer degraded")
                try await site.waitUntilServed()
                try await site.cacheUsers()
                try await site.change(5...5)
                try await site.waitUntilGone([5])
                try await site.expectUntouched(Set(1...200).subtracting([5]))
            }
        }
    }

    enum Moment: CaseIterable { case seen, betweenTwoLooks, withoutWorker }

    /// Whatever was written while a trigger was disabled counts as changed, whether anybody saw it disabled or not.
    @Test(arguments: Moment.allCases) func triggerIsDisabledForAWhile(moment: Moment) async throws {
        try await Site.withUsers { site, _ in
            let interval = moment == .betweenTwoLooks ? "3s" : "200ms"
            var worker = try site.startWorker(settings: ["CHECK_INTERVAL": interval])
            try await worker.waitUntilServing()
            try await site.change(1...1)
            try await site.waitUntilGone([1])
            try await site.waitUntilServed()
            if moment == .withoutWorker { #expect(try await worker.terminate() == 0) }
            let application = try await site.connect()
            try await application.sql("ALTER TABLE users DISABLE TRIGGER unstale_update")
            try await site.change(2...2)
            if moment == .seen {
                try await worker.wait(for: "trigger unstale_update on public.users is disabled")
                #expect(
                    try await site.status().degraded.contains {
                        $0.contains("unstale_update on public.users is disabled")
                    })
            }
            try await application.sql("ALTER TABLE users ENABLE TRIGGER unstale_update")
            if moment == .withoutWorker {
                worker = try site.startWorker(settings: ["CHECK_INTERVAL": interval])
            }
            try await site.waitUntilGone(2...200)
            // Where somebody saw it disabled, what had been missed by then was made good at once, and the rest later.
            let gaps = moment == .seen ? 2 : 1
            try await worker.wait(for: "The capture had a gap", count: gaps)
            try await eventually("no longer degraded") { try await site.status().degraded == [] }
            // And then it goes on as before.
            try await site.waitUntilServed()
            try await site.cacheUsers()
            try await site.change(9...9)
            try await site.waitUntilGone([9])
            try await site.expectUntouched(Set(1...200).subtracting([9]))
            #expect(worker.count("The capture had a gap") == gaps)
            #expect(try await worker.terminate() == 0)
        }
    }

    @Test func partitionWithoutTriggers() async throws {
        let schema = """
            CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL DEFAULT '') PARTITION BY LIST (id);
            CREATE TABLE users_1 PARTITION OF users FOR VALUES IN ('1');
            CREATE TABLE users_2 (LIKE users INCLUDING ALL);
            INSERT INTO users VALUES ('1');
            INSERT INTO users_2 VALUES ('2');
            """
        try await Site.with(rules: Users.rules, schema: schema) { site, _ in
            try await site.cacheUsers()
            try await site.withWorker(settings: quick) { worker in
                let application = try await site.connect()
                try await application.sql("UPDATE users_1 SET name = 'direct'")
                try await site.waitUntilGone([1])
                try await application.sql("ALTER TABLE users ATTACH PARTITION users_2 FOR VALUES IN ('2')")
                try await worker.wait(for: "on public.users_2 is missing")
                #expect(
                    try await site.status().degraded.contains { $0.contains("public.users_2 is missing") })
                try await application.sql("UPDATE users_2 SET name = 'missed'")
                try await site.unstale(["install"])
                try await site.waitUntilGone([2])
                try await worker.wait(for: "No longer degraded")
                #expect(try await site.status().degraded == [])
                try await site.cacheUsers()
                try await application.sql("UPDATE users_2 SET name = 'seen'")
                try await site.waitUntilGone([2])
                try await site.waitUntilServed()
                try await site.expectUntouched(3...200)
            }
        }
    }

    /// Rules that the installed capture does not know yet: said at once, and made good by install.
    @Test func rulesAreNewerThanTheCapture() async throws {
        try await Site.withUsers { site, _ in
            try site.write(
                rules: Users.rules + """

                      - name: name
                        table: users
                        columns: [name]
                        delete: {keys: ["name:{name}"]}
                    """)
            try await site.withWorker(settings: quick) { worker in
                try await worker.wait(for: "does not know 'name'")
                #expect(try await site.status().degraded.contains { $0.contains("does not know 'name'") })
                try await site.cache().set("name:a", "name:b")
                try await site.connect().sql("UPDATE users SET name = 'a' WHERE id = '1'")
                try await eventually("deleted by pattern, as the capture has no names") {
                    try await !site.cache().has("name:b")
                }
                try await site.cache().set("name:before")
                try await site.unstale(["install"])
                try await worker.wait(for: "No longer degraded")
                try await eventually("every row has counted as changed") {
                    try await !site.cache().has("name:before")
                }
                try await site.waitUntilServed()
                try await site.cache().set("name:a", "name:b", "name:c")
                try await site.connect().sql("UPDATE users SET name = 'b' WHERE id = '1'")
                try await eventually("only the names of this row are gone") {
                    let names = try await site.cache().entries().keys.map(\.description).filter {
                        $0.hasPrefix("name:")
                    }
                    return names == ["name:c"]
                }
            }
        }
    }

    /// Install comes before the worker with the new rules: what the old one read meanwhile is read once more.
    @Test func captureIsNewerThanTheRules() async throws {
        try await Site.withUsers { site, _ in
            let newRules = Users.rules.replacing("[\"user:{id}\"]", with: "[\"user:{id}\", \"profile:{id}\"]")
            try await site.withWorker(settings: quick) { worker in
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try site.write(rules: newRules)
                try await site.unstale(["install"])
                try await site.cache().set("profile:2", "profile:3")
                try await site.change(2...2)
                try await site.waitUntilGone([2])
                try await site.waitUntilServed()
                #expect(try await site.cache().has("profile:2"))
            }
            try await site.withWorker { worker in
                #expect(worker.count("The rules have changed: replaying the window") == 1)
                try await eventually("gone") { try await !site.cache().has("profile:2") }
                try await site.waitUntilServed()
                #expect(try await site.cache().has("profile:3"))
            }
            // With a comment above, they are the same rules.
            try site.write(rules: "# The rules.\n" + newRules)
            try await site.withWorker { worker in #expect(worker.count("The rules have changed") == 0) }
        }
    }

    /// A lookup's parameter takes its type from the table's column, which may be another one some day.
    @Test func lookupAfterAColumnWasAway() async throws {
        let schema = """
            CREATE TABLE orders (id bigint PRIMARY KEY, number text);
            CREATE TABLE lines (id int PRIMARY KEY, order_id bigint);
            INSERT INTO orders VALUES (1, 'one'), (2, 'two');
            INSERT INTO lines VALUES (1, 1), (2, 2);
            """
        let rules = """
            version: 1
            rules:
              - name: line
                table: lines
                lookup: select o.number from orders o where o.id = :order_id
                delete: {keys: ["order:{number}"]}
            """
        try await Site.with(rules: rules, schema: schema) { site, _ in
            let application = try await site.connect()
            try await application.sql("ALTER TABLE lines RENAME COLUMN order_id TO order_no")
            try await site.withWorker(settings: quick) { worker in
                try await worker.wait(for: "] Degraded")
                try await site.cache().set("order:one", "order:two")
                try await application.sql("UPDATE lines SET id = 3 WHERE id = 1")
                try await eventually("gone by pattern") { try await site.cache().entries().isEmpty }
                try await application.sql("ALTER TABLE lines RENAME COLUMN order_no TO order_id")
                try await worker.wait(for: "No longer degraded")
                try await site.waitUntilServed()
                try await site.cache().set("order:one", "order:two")
                try await application.sql("UPDATE lines SET id = 4 WHERE id = 2")
                try await eventually("gone") { try await !site.cache().has("order:two") }
                #expect(try await site.cache().has("order:one"))
                #expect(worker.count("An action failed") == 0)
            }
        }
    }
}
