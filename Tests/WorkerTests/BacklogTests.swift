import Postgres
import Rules
import TestSupport
import Testing

/// What piled up while no worker ran.
@Suite struct BacklogTests {
    /// The worker's memory is that of a batch, however many are waiting.
    @Test func memory() async throws {
        try await Site.withUsers { site, _ in
            let idle = try await site.withWorker { worker in
                try await site.waitUntilServed()
                return try worker.anonymousMemory
            }
            let application = try await site.connect()
            // One record a change.
            try await application.sql(
                """
                DO $$ BEGIN
                    FOR n IN 1..50000 LOOP
                        UPDATE users SET name = n::text WHERE id = (n % 150 + 1)::text;
                        IF n % 100 = 0 THEN COMMIT; END IF;
                    END LOOP;
                END $$
                """)
            let worker = try site.startWorker()
            var most = 0
            try await eventually(within: .seconds(60), "served") {
                most = max(most, try worker.anonymousMemory)
                return try await site.isServed(application)
            }
            print("RssAnon: idle \(idle) kB, with a backlog of 50,000 changes at most \(most) kB")
            #expect(most < idle + 30_000)
            #expect(try await worker.terminate() == 0)
            try await site.expectUntouched(151...200)
            try await site.waitUntilGone(1...150)
        }
    }

    /// What a lookup has found waits in memory for its repeat, and nobody knew of it when the change was planned.
    @Test func whatLookupsFindCounts() async throws {
        let rules = """
            version: 1
            rules:
              - name: found
                table: users
                lookup: select :id as id, n from generate_series(1, 5000) as n
                delete: {keys: ["found:{id}:{n}"]}
                repeat_after: [1m]
            """
        try await Site.with(rules: rules, schema: Users.schema) { site, _ in
            try await site.withWorkerInside(change: { $0.inFlightLimit = 1_000 }) { worker in
                try await site.cache().set("found:1:5000", "found:2:5000", "found:3:5000")
                for user in 1...2 {
                    try await site.change(user...user)
                    try await site.wait(for: "found:\(user):5000", toBe: nil)
                }
                try await site.change(3...3)
                let change = ContinuousClock.now
                try await eventually("reading waits") {
                    let isCached = try await site.cache().has("found:3:5000")
                    return isCached && worker.status.targets[0].backlog > 0 && .now - change > .seconds(2)
                }
            }
        }
    }

    /// Nor does it grow while Redis is away: what is in flight is bounded.
    @Test func memoryWhileRedisIsAway() async throws {
        try await Site.withProxiedUsers { site, proxy in
            let application = try await site.connect()
            try await application.sql("INSERT INTO users SELECT generate_series(201, 50000)")
            try await site.withWorker { worker in
                try await site.waitUntilServed()
                let idle = try worker.anonymousMemory
                proxy.fault = .refuse
                proxy.cut()
                for round in 1...6 {
                    try await application.sql("UPDATE users SET name = '\(round)' WHERE id <> '200'")
                }
                try await eventually("as much in flight as may be") {
                    try await site.status().targets.first?.backlog ?? 0 > 0
                }
                let busy = try worker.anonymousMemory
                print("RssAnon: idle \(idle) kB, with 300,000 changes behind a Redis that is away \(busy) kB")
                #expect(busy < idle + 80_000)
                proxy.fault = .none
                try await site.waitUntilServed()
            }
        }
    }
}
