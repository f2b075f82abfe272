import FoundationEssentials
import Glibc
import Postgres
import Redis
import Rules
import TestSupport

/// A database, a Redis, and the rules between them, with `unstale` at hand.
struct Site: Sendable {
    /// Where the database is.
    var database: String
    /// Where the worker finds the Redis.
    var redis: String
    /// Where the application does; nil: in the same place.
    var cacheURL: String?
    /// The `--config` file that names the targets; nil: there is one, the Redis.
    var config: String?
    /// How many targets there are.
    var targetCount = 1
    /// The rules file.
    let rules: String

    /// Lends a database of its own on the shared server and a Redis of its own.
    static func with<Result>(
        rules: String, schema: String, install: [String] = [], redis arguments: [String] = [],
        isolation: isolated (any Actor)? = #isolation, _ body: (Site, RedisServer) async throws -> Result
    ) async throws -> Result {
        try await TestDatabase.with { database in
            try await RedisServer.with(arguments) { redis in
                let site = try Site(
                    database: database.url, redis: "redis://127.0.0.1:\(redis.port)", rules: rules)
                try await site.prepare(schema, install: install)
                return try await body(site, redis)
            }
        }
    }

    /// A site whose rules have this text.
    init(database: String, redis: String, rules: String) throws {
        self.database = database
        self.redis = redis
        let name = "rules-" + String(UInt64.random(in: 0 ... .max), radix: 36) + ".yaml"
        self.rules = try TestEnvironment.directory + "/" + name
        try write(rules: rules)
    }

    /// Makes the tables and installs the capture.
    func prepare(_ schema: String, install arguments: [String] = []) async throws {
        try await connect().sql(schema)
        try await unstale(["install"] + arguments)
    }

    /// Replaces the rules.
    func write(rules text: String) throws {
        try text.write(toFile: rules, atomically: true, encoding: .utf8)
    }

    /// What `unstale` finds in its environment.
    var environment: [String: String] {
        let place = config == nil ? ["UNSTALE_REDIS_URL": redis] : [:]
        return place.merging(["UNSTALE_DATABASE_URL": database, "UNSTALE_RULES": rules]) { $1 }
    }

    private var settings: [String] { config.map { ["--config", $0] } ?? [] }

    /// A command, which may fail.
    func program(_ arguments: [String]) throws -> Program {
        try Program(arguments + settings, environment: environment)
    }

    /// Runs a command to its end, and gives what it printed; throws when it fails.
    @discardableResult
    func unstale(_ arguments: [String]) async throws -> String {
        let program = try program(arguments)
        guard try await program.end(within: .seconds(60)) == 0 else {
            throw TestError("unstale \(arguments): \(program.lines.joined(separator: "\n"))")
        }
        return program.output
    }

    /// Starts a worker. `settings` are the environment's, without the prefix.
    func startWorker(_ arguments: [String] = [], settings: [String: String] = [:]) throws -> Program {
        let extra = settings.map { ("UNSTALE_" + $0, $1) }
        return try Program(
            ["run"] + arguments + self.settings, environment: environment.merging(extra) { $1 })
    }

    /// Lends a worker that serves, or will; afterwards it is terminated, which has to work.
    func withWorker<Result>(
        _ arguments: [String] = [], settings: [String: String] = [:], isServing: Bool = true,
        isolation: isolated (any Actor)? = #isolation, _ body: (Program) async throws -> Result
    ) async throws -> Result {
        let worker = try startWorker(arguments, settings: settings)
        let result: Result
        do {
            if isServing { try await worker.waitUntilServing(session: targetCount) }
            result = try await body(worker)
        } catch {
            try await worker.kill9()
            throw TestError("\(error); the worker said:\n\(worker.lines.joined(separator: "\n"))")
        }
        let code = try await worker.terminate()
        guard code == 0 else {
            throw TestError("the worker ended with \(code):\n\(worker.lines.joined(separator: "\n"))")
        }
        return result
    }

    /// A session of the application.
    func connect() async throws(PostgresError) -> PostgresConnection {
        try await PostgresConnection.connect(PostgresSettings(connection: database, applicationName: "test"))
    }

    /// A client of the cache.
    func cache() async throws -> Cache { try await Cache(RedisURL(cacheURL ?? redis)) }

    /// Waits until the worker has stored a cursor behind all that is committed, and tries nothing again.
    func waitUntilServed(within deadline: Duration = .seconds(60)) async throws {
        let connection = try await connect()
        try await eventually(within: deadline, "all changes served") { try await isServed(connection) }
    }

    /// Whether the stored cursor is behind all that is committed, and nothing is tried again.
    func isServed(_ connection: PostgresConnection) async throws(PostgresError) -> Bool {
        try await connection.sql(
            """
            SELECT count(*) = \(targetCount) AND bool_and(NOT EXISTS (
                    SELECT FROM unstale.outbox AS o
                    WHERE o.xid >= pg_snapshot_xmax(t.cursor) AND o.xid < pg_snapshot_xmax(pg_current_snapshot())
                        OR o.xid = ANY (ARRAY(SELECT pg_snapshot_xip(t.cursor)))))
                AND NOT EXISTS (SELECT FROM unstale.dead_letters WHERE dead_at IS NULL)
            FROM unstale.targets AS t
            """
        ).first?.bool(0) == true
    }

    /// `unstale status --json`.
    func status() async throws -> StatusReport {
        try JSONDecoder().decode(StatusReport.self, from: Data(try await unstale(["status", "--json"]).utf8))
    }
}

/// What `unstale status --json` prints.
struct StatusReport: Decodable {
    struct Target: Decodable {
        var target: String
        var cursor: String
        var lagSeconds: Double
        var backlog: Int
        var pausedReason: String?
        var retrying: Int
        var deadLetters: Int
        var rewarms: [String: Int]?
        var needsResync: Bool
    }

    var workerIsRunning: Bool
    var degraded: [String]
    var targets: [Target]
    var unknownTargets: [String]
}

extension PostgresConnection {
    /// Runs statements, and gives the last one's rows.
    @discardableResult
    nonisolated func sql(_ text: String) async throws(PostgresError) -> Rows {
        try await script(text, deadline: .seconds(60), doing: "testing")
    }

    /// The first value of the last statement's first row.
    nonisolated func value(_ text: String) async throws(PostgresError) -> String? {
        try await sql(text).first?.text(0)
    }
}
