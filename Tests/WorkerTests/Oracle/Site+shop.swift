import TestSupport

extension Site {
    /// Lends a site with the tables of ``Shop`` filled, and its Redis; the Postgres is the shared one or its own.
    static func withShop(
        ownPostgres: Bool = false, isolation: isolated (any Actor)? = #isolation,
        _ body: (Site, PostgresServer?, RedisServer) async throws -> Void
    ) async throws {
        try await RedisServer.with { redis in
            func run(_ database: String, _ postgres: PostgresServer?) async throws {
                let site = try await Site.shop(database: database, redis: "redis://127.0.0.1:\(redis.port)")
                try await body(site, postgres, redis)
            }
            if ownPostgres {
                try await PostgresServer.with { try await run($0.url(), $0) }
            } else {
                try await TestDatabase.with { try await run($0.url, nil) }
            }
        }
    }

    /// A site with the tables of ``Shop`` filled.
    static func shop(database: String, redis: String) async throws -> Site {
        let site = try Site(database: database, redis: redis, rules: Shop.rules)
        try await site.fillShop()
        try await site.unstale(["install", "--row-limit", "\(Shop.rowLimit)"])
        return site
    }

    private func fillShop() async throws {
        let connection = try await connect()
        try await connection.sql(Shop.schema)
        try await Shop.fill(connection)
        // Writers in random order run into each other now and then.
        let name = try await connection.value("SELECT quote_ident(current_database())") ?? ""
        try await connection.sql("ALTER DATABASE \(name) SET deadlock_timeout = '20ms'")
    }

    /// How many changes of rows the capture has recorded one by one.
    func capturedChanges() async throws -> Int {
        let count = try await connect().value(
            """
            SELECT sum(CASE WHEN array_ndims(image) = 2 THEN array_length(image, 1) ELSE 1 END)
            FROM (SELECT coalesce(new, old) AS image FROM unstale.outbox) AS records
            """)
        return count.flatMap { Int($0) } ?? 0
    }
}
