public import Postgres
public import Rules

/// Reads what the catalog says of tables.
public struct Catalog: Sendable {
    let connection: PostgresConnection

    /// A reader on this connection.
    public init(connection: PostgresConnection) { self.connection = connection }

    /// The columns of every table that rules could name, and of those that they do.
    public func columns() async throws(PostgresError) -> [TableName: [String]] {
        let rows = try await connection.query(
            """
            SELECT n.nspname, c.relname, a.attname
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'unstale')
                AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
            ORDER BY 1, 2, a.attnum
            """, doing: "reading the catalog")
        var tables: [TableName: [String]] = [:]
        for row in rows {
            guard let schema = row.text(0), let name = row.text(1) else { continue }
            tables[TableName(schema: schema, name: name), default: []] += row.text(2).map { [$0] } ?? []
        }
        return tables
    }

    /// The shape of a table, or nil where there is none of that name.
    public func shape(of table: TableName) async throws(PostgresError) -> TableShape? {
        let doing = "reading the catalog for \(table)"
        let rows = try await connection.query(
            """
            SELECT c.oid, ARRAY(
                SELECT a.attname FROM pg_catalog.pg_index i
                CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place)::text[], c.relkind
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
            """, [.text(table.schema), .text(table.name)], binary: true, doing: doing)
        guard let row = rows.first, let oid = row.binaryInteger(0, as: UInt32.self) else { return nil }
        let primaryKey = row.range(1).map { TextArray(row.buffer, at: $0.lowerBound).strings } ?? []
        var shape = TableShape(
            oid: oid, name: table, columns: try await columns(of: oid, doing: doing), primaryKey: primaryKey,
            descendants: [])
        if row.text(2) == "p" { shape.partitioned.insert(table) }
        try await addRelatives(to: &shape, doing: doing)
        return shape
    }

    private func columns(of oid: UInt32, doing: String) async throws(PostgresError) -> [TableShape.Column] {
        // A type's text may depend on settings through its elements, its base type, its fields or its range.
        let rows = try await connection.query(
            """
            WITH RECURSIVE parts(attnum, type) AS (
                SELECT attnum, atttypid FROM pg_catalog.pg_attribute
                WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped
                UNION
                SELECT p.attnum, inner_type.oid
                FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.type
                CROSS JOIN LATERAL (
                    SELECT t.typelem WHERE t.typelem <> 0
                    UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
                    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
                        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                    UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
                ) AS inner_type(oid)
            )
            SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                (SELECT pg_catalog.string_agg(t.typname, ' ') FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.type
                    WHERE p.attnum = a.attnum),
                (SELECT pg_catalog.bool_and(t.typnamespace = 'pg_catalog'::regnamespace OR t.typtype <> 'b')
                    FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.type WHERE p.attnum = a.attnum),
                EXISTS (SELECT FROM parts p JOIN pg_catalog.pg_cast k ON k.castsource = p.type
                    WHERE p.attnum = a.attnum AND k.casttarget = 'text'::regtype AND k.castmethod = 'f'),
                a.atttypid IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
                    'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
                    OR a.atttypid IN ('text'::regtype, 'varchar'::regtype)
                        AND (SELECT c.collisdeterministic FROM pg_catalog.pg_collation c WHERE c.oid = a.attcollation),
                a.attgenerated = 'v'
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
            """, [.integer(oid)], doing: doing)
        return rows.map { row in
            let builtin = row.bool(3)
            let parts = (row.text(2) ?? "").split(separator: " ").map(String.init)
            let settings: Set<TextSetting> =
                builtin
                ? parts.reduce(into: []) { $0.formUnion(TextSetting.of(type: $1)) }
                : Set(TextSetting.allCases)
            return TableShape.Column(
                name: row.text(0) ?? "", type: row.text(1) ?? "", settings: settings,
                hasBuiltinEquality: builtin, hasTextCast: row.bool(4), hasExactEquality: row.bool(5),
                isVirtual: row.bool(6))
        }
    }

    /// Puts into a shape which tables are below this one, and above it.
    private func addRelatives(to shape: inout TableShape, doing: String) async throws(PostgresError) {
        let rows = try await connection.query(
            """
            WITH RECURSIVE tree(relid) AS (
                SELECT $1::oid
                UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.relid
            ), above(relid, member) AS (
                SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhrelid = tree.relid
                WHERE i.inhparent NOT IN (SELECT relid FROM tree)
                UNION SELECT i.inhparent, above.member FROM pg_catalog.pg_inherits i JOIN above ON i.inhrelid = above.relid
            ), relatives(relid, member) AS (
                -- 1. What is below,
                SELECT relid, NULL FROM tree WHERE relid <> $1::oid
                -- 2. and what is above that or the table itself, at the top.
                UNION ALL SELECT relid, member FROM above
                WHERE relid NOT IN (SELECT inhrelid FROM pg_catalog.pg_inherits)
            )
            SELECT n.nspname, c.relname, c.relkind, mn.nspname, m.relname, m.relispartition
            FROM relatives r
            JOIN pg_catalog.pg_class c ON c.oid = r.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_class m ON m.oid = r.member
            LEFT JOIN pg_catalog.pg_namespace mn ON mn.oid = m.relnamespace
            WHERE c.relkind IN ('r', 'p', 'f') ORDER BY 1, 2, 4, 5
            """, [.integer(shape.oid)], doing: doing)
        for row in rows {
            guard let schema = row.text(0), let name = row.text(1) else { continue }
            let relative = TableName(schema: schema, name: name)
            if let schema = row.text(3), let name = row.text(4) {
                let member = TableName(schema: schema, name: name)
                shape.ancestors.append(.init(name: relative, member: member, isPartition: row.bool(5)))
            } else if row.text(2) == "f" {
                shape.foreignDescendants.append(relative)
            } else {
                shape.descendants.append(relative)
                if row.text(2) == "p" { shape.partitioned.insert(relative) }
            }
        }
    }
}
