import TestSupport
import Testing

/// `repeat_after`: what a reader cached from before the change goes too.
@Suite struct RepeatTests {
    private static let rules = """
        version: 1
        rules:
          - name: user
            table: users
            delete: {keys: ["user:{id}"], patterns: ["list:{id}:*"]}
            repeat_after: [1s, 2s]
        """

    /// Many keys that wait to be deleted once more keep nobody else's waiting.
    @Test func othersAreServedMeanwhile() async throws {
        let rules = Users.rules + "\n    repeat_after: [60s]"
        try await Site.with(rules: rules, schema: Users.schema) { site, _ in
            try await site.cacheUsers()
            try await site.withWorkerInside(change: { $0.inFlightLimit = 100 }) { _ in
                try await site.connect().sql("UPDATE users SET name = 'x' WHERE id::int <= 150")
                try await site.waitUntilGone(1...150)
                try await site.change(180...180)
                try await site.waitUntilGone([180])
            }
        }
    }

    @Test(arguments: [false, true]) func lateReader(isKilled: Bool) async throws {
        try await Site.with(rules: Self.rules, schema: Users.schema) { site, _ in
            var worker = try site.startWorker()
            try await worker.waitUntilServing()
            let keys = ["user:1", "list:1:a"]
            func allGone() async throws -> Bool { try await site.cache().entries().isEmpty }
            func cache() async throws { for key in keys { try await site.cache().set(key) } }
            try await cache()
            let start = ContinuousClock.now
            try await site.change(1...1)
            try await eventually("deleted at once") { try await allGone() }
            #expect(.now - start < .seconds(1))
            try await cache()
            if isKilled {
                try await worker.kill9()
                worker = try site.startWorker()
            }
            try await eventually("deleted after a second") { try await allGone() }
            try await cache()
            try await eventually("deleted after two seconds") { try await allGone() }
            try await site.waitUntilServed()
            try await cache()
            #expect(try await worker.terminate() == 0)
            for key in keys { #expect(try await site.cache().has(key)) }
        }
    }
}
