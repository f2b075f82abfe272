public import Postgres
public import Rules

extension Catalog {
    /// The tables that rules could name, with how often they were written to since Postgres began to count.
    public func writtenTables() async throws(PostgresError) -> WrittenTables {
        let doing = "reading the statistics of tables"
        let rows = try await connection.query(
            """
            SELECT c.oid, n.nspname, c.relname, coalesce(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0)
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid
            WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
                AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'unstale')
            """, doing: doing)
        let links = try await connection.query(
            """
            SELECT i.inhrelid, i.inhparent, c.relispartition FROM pg_catalog.pg_inherits i
            JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p')
            """, doing: doing)
        let tables = rows.compactMap { row -> (UInt32, WrittenTables.Table)? in
            guard let id = row.oid(0), let schema = row.text(1), let name = row.text(2) else { return nil }
            return (id, .init(name: TableName(schema: schema, name: name), writes: row.int(3) ?? 0))
        }
        return WrittenTables(
            Dictionary(tables) { $1 },
            links: links.compactMap { row in
                guard let child = row.oid(0), let parent = row.oid(1) else { return nil }
                return .init(child: child, parent: parent, isPartition: row.bool(2))
            })
    }

    /// Whether Postgres counts writes at all.
    public func countsWrites() async throws(PostgresError) -> Bool {
        let rows = try await connection.query(
            "SELECT current_setting('track_counts')", doing: "reading the settings of Postgres")
        return rows.first?.text(0) == "on"
    }

    /// The names of the rules by whose lookups and loaders a table is read, by table. A rule whose queries the server
    /// refuses is in neither; why is told by `refused`.
    public func readers(
        _ rules: [Rule], refused: (Rule, PostgresError) -> Void
    ) async throws(PostgresError) -> [TableName: [String]] {
        var readers: [TableName: [String]] = [:]
        for rule in rules where rule.lookup != nil || rule.rewarm.contains(where: { $0.sql != nil }) {
            do throws(PostgresError) {
                for table in try await tables(readBy: rule) { readers[table, default: []].append(rule.name.value) }
            } catch {
                guard error.sqlState != nil, !error.isServerTrouble else { throw error }
                refused(rule, error)
            }
        }
        return readers
    }

    private func tables(readBy rule: Rule) async throws(PostgresError) -> Set<TableName> {
        guard let shape = try await shape(of: rule.table.value) else { return [] }
        let lookup = LookupStatement(rule: rule, types: shape.types)
        let loaders = try await loaders(of: rule, on: shape, lookup: lookup)
        var tables: Set<TableName> = []
        for query in [lookup?.bareSQL].compactMap(\.self) + loaders.values.map(\.bareSQL) {
            tables.formUnion(try await self.tables(lockedBy: query, rule: rule.name.value))
        }
        return tables
    }

    /// The tables that a query names, those behind views included: the server takes a lock on each before it plans
    /// the query, and shows it. That takes no right that running the query doesn't.
    private func tables(lockedBy query: String, rule: String) async throws(PostgresError) -> Set<TableName> {
        let doing = "finding out what the rule '\(rule)' reads"
        do throws(PostgresError) {
            try await connection.script(
                """
                BEGIN READ ONLY;
                EXPLAIN SELECT 1 FROM (
                \(query)
                ) AS result
                """, doing: doing)
            let rows = try await connection.query(
                """
                SELECT n.nspname, c.relname FROM pg_catalog.pg_locks l
                JOIN pg_catalog.pg_class c ON c.oid = l.relation
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'p')
                    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'unstale')
                """, doing: doing)
            try await connection.script("ROLLBACK", doing: doing)
            return Set(
                rows.compactMap { row in
                    guard let schema = row.text(0), let name = row.text(1) else { return nil }
                    return TableName(schema: schema, name: name)
                })
        } catch {
            if error.sqlState != nil { try await connection.script("ROLLBACK", doing: doing) }
            throw error
        }
    }
}

extension Row {
    fileprivate func oid(_ column: Int) -> UInt32? { text(column).flatMap { UInt32($0) } }
}
