public import Postgres
public import Rules

/// Installs the capture, shows what it would do, and takes it away again.
public struct Installer: Sendable {
    private let connection: PostgresConnection
    /// How long tables' locks are tried for.
    private let lockTimeout: Duration
    /// How long one try waits for a lock. Whoever writes to the table waits behind it. And by default it is less than
    /// Postgres' `deadlock_timeout` of 1 s, after which one of those who wait for each other is ended: that must not be
    /// the application.
    private var patience: Duration { min(lockTimeout, max(.milliseconds(500), lockTimeout / 10)) }
    /// How long those who had to wait go first.
    private static let rest = Duration.milliseconds(500)

    /// An installer on a connection of the tables' owner.
    public init(connection: PostgresConnection, lockTimeout: Duration = .seconds(5)) {
        self.connection = connection
        self.lockTimeout = lockTimeout
    }

    /// What `install` would do.
    public struct Preview: Sendable {
        /// The steps, for people: `create trigger unstale_update on public.users`.
        public let summaries: [String]
        /// The whole transaction.
        public let sql: String
    }

    /// The steps from what is installed to what the rules need, and the SQL that takes them.
    public func preview(_ rules: RuleSet, _ settings: CaptureSettings, workerRole: String?) async throws
        -> Preview
    {
        let steps = try await steps(rules, settings, workerRole: workerRole)
        let sql = transaction(steps, patience: lockTimeout)
        return Preview(summaries: steps.map(\.summary), sql: sql)
    }

    /// Takes the steps, in one transaction; returns them. Nothing to do is nothing done.
    @discardableResult
    public func install(_ rules: RuleSet, _ settings: CaptureSettings, workerRole: String?) async throws
        -> [String]
    {
        try await locked("installing the capture") {
            let steps = try await steps(rules, settings, workerRole: workerRole)
            try await take(steps, doing: "installing the capture")
            return steps.map(\.summary)
        }
    }

    /// Removes triggers, functions, rights and the schema.
    @discardableResult
    public func uninstall() async throws -> [String] {
        try await locked("uninstalling the capture") {
            let state = try await InstalledState.read(connection)
            let steps = InstallPlan.removal(state, grants: try await grants(state))
            try await take(steps, doing: "uninstalling the capture")
            return steps.map(\.summary)
        }
    }

    private func take(_ steps: [InstallPlan.Step], doing: String) async throws {
        guard !steps.isEmpty else { return }
        let end = ContinuousClock.now + lockTimeout
        while true {
            let sql = transaction(steps, patience: max(.milliseconds(1), min(end - .now, patience)))
            do throws(PostgresError) {
                try await connection.script(sql, deadline: .seconds(600), doing: doing)
                return
            } catch {
                // The script's own transaction is open after a failure in it.
                _ = try? await connection.script("ROLLBACK", doing: doing)
                guard error.sqlState == "55P03" else { throw error }
                guard .now + Self.rest < end else {
                    throw PostgresError(
                        code: error.code,
                        message:
                            "\(error.message): another session holds a lock on a captured table; try again, or raise --lock-timeout",
                        doing: doing)
                }
            }
            // There is nothing to wait for but time: a lock that is asked for is what others queue behind.
            try await Task.sleep(for: Self.rest)
        }
    }

    private func transaction(_ steps: [InstallPlan.Step], patience: Duration) -> String {
        let milliseconds = Int64(patience / .milliseconds(1))
        let body = steps.map {
            "-- \($0.summary.split(whereSeparator: \.isNewline).joined(separator: " "))\n\($0.sql)"
        }
        return
            "BEGIN;\nSET LOCAL lock_timeout = \(milliseconds);\nSET LOCAL search_path = pg_catalog, pg_temp;\n\n"
            + body.joined(separator: "\n\n") + "\n\nCOMMIT;\n"
    }

    private func steps(
        _ rules: RuleSet, _ settings: CaptureSettings, workerRole: String?
    ) async throws -> [InstallPlan.Step] {
        let check = try await RulesCheck.run(rules, listen: settings.listen, connection)
        let state = try await InstalledState.read(connection)
        if let version = state.version, version != Schema.version, Schema.migrations[version] == nil {
            throw PostgresError(
                code: .server(sqlState: "F0000"),
                message: "the schema unstale has version \(version), this program needs \(Schema.version); "
                    + "run 'unstale uninstall' of the version that made it",
                doing: "reading the installed capture")
        }
        var steps = InstallPlan(state: state, designs: check.designs(rules, settings), settings: settings)
            .steps
        if let workerRole { steps += try await grantSteps(rules, check, state, settings, role: workerRole) }
        return steps
    }

    /// Grants are only steps where something is missing, so that a second install has nothing to do.
    private func grantSteps(
        _ rules: RuleSet, _ check: RulesCheck, _ state: InstalledState, _ settings: CaptureSettings, role: String
    ) async throws -> [InstallPlan.Step] {
        var steps: [InstallPlan.Step] = []
        var hasSchema = false
        if state.version != nil {
            let rows = try await connection.query(
                """
                SELECT has_schema_privilege($1, 'unstale', 'USAGE') AND has_table_privilege($1, 'unstale.dead_letters', 'DELETE')
                    AND has_table_privilege($1, 'unstale.outbox_0', 'TRUNCATE')
                    AND has_column_privilege($1, 'unstale.outbox', 'detail', 'INSERT')
                """, [.text(role)], doing: "reading the rights of \(role)")
            hasSchema = rows.first?.bool(0) ?? false
        }
        if !hasSchema {
            steps.append(
                InstallPlan.Step(
                    summary: "grant the worker's rights on the schema unstale to \(role)",
                    sql: Schema.grants(to: SQL.identifier(role))))
        }
        for object in try await readObjects(rules, check, role: role) {
            steps.append(
                InstallPlan.Step(
                    summary: "grant \(object) to \(role), for lookups and loaders",
                    sql: Rights.grant(object: object, role: role)))
        }
        return steps + (try await listenSteps(check, settings, role: role))
    }

    /// What notifications tell becomes rows of their tables, by names in their schemas. What lookups read is granted
    /// already where it is in one of those: granting twice does no harm.
    private func listenSteps(
        _ check: RulesCheck, _ settings: CaptureSettings, role: String
    ) async throws(PostgresError) -> [InstallPlan.Step] {
        let tables = check.shapes.keys.filter(settings.listen.tell)
        var steps: [InstallPlan.Step] = []
        for schema in Set(tables.map(\.schema)).sorted() {
            let rows = try await connection.query(
                "SELECT has_schema_privilege($1, $2, 'USAGE')", [.text(role), .text(schema)],
                doing: "reading the rights of \(role)")
            guard rows.first?.bool(0) == false else { continue }
            let object = Rights.usage(schema)
            steps.append(
                InstallPlan.Step(
                    summary: "grant \(object) to \(role), for notifications",
                    sql: Rights.grant(object: object, role: role)))
        }
        return steps
    }

    /// What lookups and loaders read and the role may not: found by making a view of each, which lists what it
    /// depends on.
    private func readObjects(_ rules: RuleSet, _ check: RulesCheck, role: String) async throws -> [String] {
        var objects: Set<String> = []
        for rule in rules.rules {
            guard let shape = check.shapes[rule.table.value] else { continue }
            let lookup = LookupStatement(rule: rule, types: shape.types)
            let loaders = try await Catalog(connection: connection).loaders(
                of: rule, on: shape, lookup: lookup)
            for query in [lookup?.bareSQL].compactMap(\.self) + loaders.values.map(\.bareSQL) {
                for row in try await dependencies(of: query, rule: rule.name.value, role: role) {
                    guard let schema = row.text(0), let name = row.text(1) else { continue }
                    if !row.bool(2) { objects.insert(Rights.usage(schema)) }
                    if !row.bool(3) { objects.insert(Rights.select(TableName(schema: schema, name: name))) }
                }
            }
        }
        return objects.sorted()
    }

    /// The relations that a query names, and whether the role may use their schemas and read them.
    private func dependencies(
        of query: String, rule: String, role: String
    ) async throws(PostgresError) -> Rows {
        let doing = "finding out what the rule '\(rule)' reads"
        do throws(PostgresError) {
            try await connection.script(
                """
                BEGIN;
                CREATE TEMPORARY VIEW unstale_query AS SELECT 1 AS one FROM (
                \(query)
                ) AS result
                """, doing: doing)
            let rows = try await connection.query(
                """
                SELECT DISTINCT n.nspname, c.relname, has_schema_privilege($1, n.oid, 'USAGE'),
                    has_table_privilege($1, c.oid, 'SELECT')
                FROM pg_catalog.pg_rewrite r
                JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
                JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE r.ev_class = 'pg_temp.unstale_query'::regclass
                """, [.text(role)], doing: doing)
            try await connection.script("ROLLBACK", doing: doing)
            return rows
        } catch {
            _ = try? await connection.script("ROLLBACK", doing: doing)
            throw error
        }
    }

    private func grants(_ state: InstalledState) async throws(PostgresError) -> [(
        role: String, object: String
    )] {
        guard state.version != nil else { return [] }
        let rows = try await connection.query(
            "SELECT role, object FROM unstale.grants ORDER BY 1, 2", doing: "reading the granted rights")
        return rows.map { (role: $0.text(0) ?? "", object: $0.text(1) ?? "") }
    }

    /// One install at a time.
    private func locked<Value: Sendable>(_ doing: String, _ body: () async throws -> Value) async throws
        -> Value
    {
        let rows = try await connection.query(
            "SELECT pg_try_advisory_lock(\(AdvisoryLock.install.arguments))", doing: doing)
        guard rows.first?.bool(0) == true else {
            throw PostgresError(
                code: .server(sqlState: "55P03"), message: "another install is running; wait for it",
                doing: doing)
        }
        let outcome: Swift.Result<Value, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        _ = try? await connection.script(
            "SELECT pg_advisory_unlock(\(AdvisoryLock.install.arguments))", doing: doing)
        return try outcome.get()
    }
}
