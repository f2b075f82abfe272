public import Postgres

/// What can be known of the outbox without reading its records.
extension Outbox {
    /// What is visible now and was not in `snapshot`.
    public func look(beyond snapshot: Snapshot) async throws(PostgresError) -> Look {
        let inProgress = "{" + snapshot.inProgress.map(String.init).joined(separator: ",") + "}"
        let rows = try await connection.query(
            """
            SELECT pg_current_snapshot()::text, age(pg_snapshot_xmax(pg_current_snapshot())::xid)::bigint,
                (SELECT count(*) FROM (
                    SELECT FROM unstale.outbox
                    WHERE xid >= $1::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot()) LIMIT \(pageSize + 1)
                ) AS begun_later)
                + (SELECT count(*) FROM (
                    SELECT FROM unstale.outbox WHERE xid = ANY ($2::xid8[]) LIMIT \(pageSize + 1)
                ) AS in_progress)
            """, [.integer(snapshot.xmax), .text(inProgress)], binary: true, prepared: prepares,
            doing: "looking at the outbox")
        guard let row = rows.first, let current = row.text(0).flatMap(Snapshot.init) else {
            throw PostgresError(code: .disconnected, message: "no snapshot came", doing: "looking at the outbox")
        }
        let records = Int(row.binaryInteger(2, as: Int64.self) ?? 0)
        return Look(
            records: min(records, pageSize), snapshot: current, begun: Int(row.binaryInteger(1, as: Int64.self) ?? 0),
            isFull: records > pageSize)
    }

    /// What is visible now.
    public func here() async throws(PostgresError) -> Snapshot {
        let rows = try await connection.query("SELECT pg_current_snapshot()", doing: "looking at the outbox")
        guard let snapshot = rows.first?.text(0).flatMap(Snapshot.init) else {
            throw PostgresError(code: .disconnected, message: "no snapshot came", doing: "looking at the outbox")
        }
        return snapshot
    }

    /// The room that it takes in the database, in bytes, with its indexes.
    public func size() async throws(PostgresError) -> Int {
        let rows = try await connection.query(
            """
            SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_catalog.pg_inherits
            WHERE inhparent = 'unstale.outbox'::regclass
            """, doing: "measuring the outbox")
        return rows.first?.int(0) ?? 0
    }

    /// Whether records are kept for this cursor alone: the first that it has not passed is older than the replay
    /// window, for which all are kept, by more than `margin`.
    public func isHeldUp(by cursor: Snapshot, margin: Duration = .zero) async throws(PostgresError) -> Bool {
        let rows = try await connection.query(
            """
            SELECT coalesce(min(first.at) < now() - make_interval(secs =>
                (SELECT slot_seconds * \(CaptureSettings.slots - 2) FROM unstale.installation) + $2::float8), false)
            FROM (
                (SELECT at FROM unstale.outbox
                    WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
                    ORDER BY xid, id LIMIT 1)
                UNION ALL
                SELECT at FROM unstale.outbox WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
            ) AS first
            """, [.text(cursor.description), .text("\(margin / .seconds(1))")],
            doing: "looking for what holds up the outbox")
        return rows.first?.bool(0) ?? false
    }
}
