import Rules
import TestSupport
import Testing

/// One table and one rule, for tests that are not about rules.
enum Users {
    static let schema = """
        CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL DEFAULT '');
        INSERT INTO users SELECT generate_series(1, 200)
        """

    static let rules = """
        version: 1
        rules:
          - name: user
            table: users
            delete: {keys: ["user:{id}"]}
        """
}

extension Site {
    /// Lends a site with the table `users`, 200 rows in it, and the keys `user:1` to `user:200` cached.
    static func withUsers<Result>(
        install: [String] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (Site, RedisServer) async throws -> Result
    ) async throws -> Result {
        try await with(rules: Users.rules, schema: Users.schema, install: install) { site, redis in
            try await site.cacheUsers()
            return try await body(site, redis)
        }
    }

    /// The same, with a proxy between the worker and the Redis.
    static func withProxiedUsers<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (Site, FaultProxy) async throws -> Result
    ) async throws -> Result {
        try await withUsers { site, redis in
            try await FaultProxy.with(to: redis.port) { proxy in
                var site = site
                site.cacheURL = site.redis
                site.redis = "redis://127.0.0.1:\(proxy.port)"
                return try await body(site, proxy)
            }
        }
    }

    /// Caches the keys `user:1` to `user:200`.
    func cacheUsers() async throws {
        let keys = (1...200).map { Key("user:\($0)") }
        try await cache().set(Dictionary(keys.map { ($0, "cached") }) { $1 })
    }

    /// Changes these users, each in a transaction of its own.
    func change(_ users: ClosedRange<Int>) async throws {
        let application = try await connect()
        for user in users {
            try await application.sql("UPDATE users SET name = name || 'x' WHERE id = '\(user)'")
        }
    }

    /// Waits until the keys of these users are gone.
    func waitUntilGone(
        _ users: some Sequence<Int>, within deadline: Duration = .seconds(20),
        isolation: isolated (any Actor)? = #isolation
    ) async throws {
        let cache = try await cache()
        for user in users {
            try await eventually(within: deadline, "user:\(user) is gone") {
                try await !cache.has("user:\(user)")
            }
        }
    }

    /// Records an issue for each of these users whose key is gone.
    func expectUntouched(
        _ users: some Sequence<Int>, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let cached = try await cache().entries()
        let gone = users.filter { cached[Key("user:\($0)")] == nil }
        #expect(gone.isEmpty, sourceLocation: sourceLocation)
    }
}
