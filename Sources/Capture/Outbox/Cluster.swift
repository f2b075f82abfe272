public import Postgres

/// Where transaction ids mean what a cursor says: a cluster, its timeline, and the database in it. After a
/// restore or a failover ids may be used again for other transactions.
public struct Cluster: Sendable, Equatable, CustomStringConvertible {
    /// `system identifier/timeline/database OID`.
    public let description: String

    /// The one behind a connection.
    public static func read(_ connection: PostgresConnection) async throws(PostgresError) -> Cluster {
        let rows = try await connection.query(
            """
            SELECT concat_ws('/', (SELECT system_identifier FROM pg_catalog.pg_control_system()),
                left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8),
                (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
            """, doing: "identifying the cluster")
        return Cluster(description: rows.first?.text(0) ?? "")
    }

    init(description: String) { self.description = description }
}
