import Redis
import Rules
import TestSupport
import Testing

/// A reader that read just before the commit and stores just after the delete.
@Suite struct StaleFillTests {
    enum Remedy: CaseIterable { case none, repeated, ruleFence, targetFence }

    @Test(arguments: Remedy.allCases) func lateReader(remedy: Remedy) async throws {
        var rules = Users.rules
        if remedy == .repeated { rules += "\n    repeat_after: [1s]" }
        if remedy == .ruleFence { rules += "\n    fence: true" }
        try await Site.with(rules: rules, schema: Users.schema) { site, _ in
            try await site.withWorker(remedy == .targetFence ? ["--fence"] : []) { _ in
                let reader = Reader(cache: try await site.cache(), isFenced: remedy != .none && remedy != .repeated)
                // Both its read and its token are from before the commit.
                let token = try await reader.takeToken(of: "user:1")
                try await site.change(1...1)
                try await site.waitUntilServed(isRepeated: remedy == .repeated)
                try await reader.store("old", in: "user:1", token: token)
                switch remedy {
                case .none: #expect(try await site.cache().has("user:1"), "that is what fences are for")
                case .repeated: try await site.waitUntilGone([1], within: .seconds(3))
                case .ruleFence, .targetFence: #expect(try await !site.cache().has("user:1"))
                }
                // Who reads now stores what is true now.
                let next = try await reader.takeToken(of: "user:1")
                try await reader.store("new", in: "user:1", token: next)
                #expect(try await site.cache().send("GET", "user:1") == .bulk(Array("new".utf8)))
            }
        }
    }

    /// What an application does, in the commands that any client has.
    private struct Reader {
        let cache: Cache
        let isFenced: Bool

        func takeToken(of key: String) async throws -> String {
            guard isFenced else { return "" }
            let own = "\(UInt64.random(in: 0 ... .max))"
            try await cache.send("SET", "unstale:fence:\(key)", own, "NX", "PX", "60000")
            return try await cache.send("GET", "unstale:fence:\(key)").text ?? ""
        }

        func store(_ value: String, in key: String, token: String) async throws {
            guard isFenced else { return _ = try await cache.send("SET", key, value) }
            let script = "if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end"
            try await cache.send("EVAL", script, "2", key, "unstale:fence:\(key)", token, value)
        }
    }
}

extension Site {
    /// Waits for the first delete, or for all of it.
    fileprivate func waitUntilServed(isRepeated: Bool) async throws {
        guard isRepeated else { return try await waitUntilServed() }
        // The delete of a key that isn't there leaves no trace but this.
        let cache = try await cache()
        try await eventually("the first delete") {
            try await cache.send("INFO", "commandstats").text?.contains("cmdstat_unlink") == true
        }
    }
}
