import Postgres
import Rules

extension ListenedTables {
    /// Another one whenever rules name another table, a capture was installed or retired, or one of these tables was
    /// made, dropped or renamed, or a partition of it.
    struct Version: Equatable {
        private let named: Set<TableName>
        private let installed: String?

        /// Asks for it: little enough for once a second.
        static func read(
            _ named: Set<TableName>, _ connection: PostgresConnection
        ) async throws(PostgresError) -> Version {
            let names = Array(named)
            let rows = try await connection.query(
                """
                WITH RECURSIVE tree(relid) AS (
                    SELECT c.oid FROM unnest($1::text[], $2::text[]) AS named(schema, name)
                    JOIN pg_catalog.pg_namespace n ON n.nspname = named.schema
                    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = named.name
                    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.relid
                )
                SELECT concat_ws(';', (SELECT array_agg(id ORDER BY id) FROM unstale.captures WHERE retired_at IS NULL),
                    (SELECT array_agg((relid, relid::regclass) ORDER BY relid) FROM tree))
                """,
                [.texts(names.map { Array($0.schema.utf8) }), .texts(names.map { Array($0.name.utf8) })],
                doing: "looking for a newer capture")
            return Version(named: named, installed: rows.first?.text(0))
        }
    }
}
