public import Delivery
public import Postgres

/// How a target stands, read from the database: for `unstale status`.
public struct TargetStatus: Codable, Sendable {
    /// The target's name.
    public var target: String
    /// Its cursor, as a `pg_snapshot`.
    public var cursor: String
    /// Seconds since the oldest record that is not served yet was written; 0: there is none.
    public var lagSeconds: Double
    /// Records in the outbox that are not served yet.
    public var backlog: Int
    /// Why it is waited for; nil: it is not.
    public var pausedReason: String?
    /// Captures that failed of late, which the catalog does not show.
    public var degraded: [String]
    /// Actions that are tried again.
    public var retrying: Int
    /// Actions that are tried no more.
    public var deadLetters: Int
    /// What became of entries that were to be re-warmed, since the worker was started; nil: there was none.
    public var rewarms: RewarmStatistics?
    /// How the index of its keys stands, in words; nil: it has none.
    public var index: String?
    /// Whether the outbox did not keep all that it needs, and it has not been recorded since that all rows changed.
    public var needsResync: Bool
    /// When the worker stored this last.
    public var updatedAt: String
    /// The worker that stored it: host and process.
    public var worker: String?

    /// All targets that were ever served.
    public static func all(_ connection: PostgresConnection) async throws(PostgresError) -> [TargetStatus] {
        let rows = try await connection.query(
            """
            SELECT t.name, t.cursor, coalesce(extract(epoch FROM clock_timestamp() - ahead.oldest), 0), ahead.count,
                t.state ->> 'pausedReason', letters.retrying, letters.dead, t.updated_at, t.state ->> 'worker',
                t.state, t.resync IS NOT NULL
            FROM unstale.targets AS t
            CROSS JOIN LATERAL (
                SELECT count(*), min(o.at) AS oldest FROM unstale.outbox AS o
                WHERE (o.xid >= pg_snapshot_xmax(t.cursor) AND o.xid < pg_snapshot_xmax(pg_current_snapshot()))
                    OR o.xid = ANY (ARRAY(SELECT pg_snapshot_xip(t.cursor)))
            ) AS ahead
            CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE dead_at IS NULL) AS retrying, count(dead_at) AS dead
                FROM unstale.dead_letters AS d WHERE d.target = t.name
            ) AS letters
            ORDER BY t.name
            """, doing: "reading the status")
        return rows.map { row in
            let state = WorkerState.decode(row.text(9) ?? "{}")
            return TargetStatus(
                target: row.text(0) ?? "", cursor: row.text(1) ?? "",
                lagSeconds: row.text(2).flatMap(Double.init) ?? 0, backlog: row.int(3) ?? 0,
                pausedReason: row.text(4),
                degraded: state.problems.filter(\.isFailure).map(\.reason),
                retrying: row.int(5) ?? 0, deadLetters: row.int(6) ?? 0,
                rewarms: state.rewarms, index: state.index, needsResync: row.bool(10), updatedAt: row.text(7) ?? "",
                worker: row.text(8))
        }
    }
}
