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
