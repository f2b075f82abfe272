import Rules
import TestSupport
import Testing

/// One table whose entries are loaded anew.
enum Items {
    static let schema = """
        CREATE TABLE items (id int PRIMARY KEY, name text, price numeric(10, 2) NOT NULL DEFAULT 1);
        INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 200) AS n
        """

    /// The rule `item` with this `rewarm`, whose key is `item:{id}`.
    static func rules(_ rewarm: String) -> String {
        """
        version: 1
        rules:
          - name: item
            table: items
            rewarm: [{key: "item:{id}", \(rewarm)}]
        """
    }

    static let rules = rules(#"sql: "select to_json(i) from items i where i.id = :id", ttl: 1h, when: exists"#)
}

extension Site {
    /// Lends a site with the table `items`, 200 rows in it, and the keys `item:1` to `item:100` cached.
    static func withItems<Result>(
        rules: String = Items.rules, schema: String = "", redis arguments: [String] = [],
        isolation: isolated (any Actor)? = #isolation, _ body: (Site, RedisServer) async throws -> Result
    ) async throws -> Result {
        try await with(rules: rules, schema: Items.schema + ";" + schema, redis: arguments) { site, redis in
            try await site.cacheItems()
            return try await body(site, redis)
        }
    }

    /// Caches the keys `item:1` to `item:100`, with a value that no loader gives.
    func cacheItems() async throws {
        try await cache().set(Dictionary(uniqueKeysWithValues: (1...100).map { (Key("item:\($0)"), "old") }))
    }

    /// Waits until a key has this value; nil: until it is gone.
    func wait(
        for key: String, toBe value: String?, within deadline: Duration = .seconds(20),
        isolation: isolated (any Actor)? = #isolation
    ) async throws {
        let cache = try await cache()
        try await eventually(within: deadline, "\(key) is \(value ?? "gone")") {
            let reply = try await cache.send("GET", key)
            return reply == value.map { .bulk(Array($0.utf8)) } ?? .null
        }
    }

    /// What became of re-warmed entries.
    func rewarms() async throws -> [String: Int] { try await status().targets.first?.rewarms ?? [:] }
}
