public import Postgres

/// Reads the outbox and empties it.
public struct Outbox: Sendable {
    let connection: PostgresConnection
    /// Records in one batch, at most.
    let pageSize: Int

    /// Whether the read is planned once in the session; not possible behind a pooler in transaction mode.
    let prepares: Bool
    private let statements: (ofMany: String, ofNew: String)

    /// The outbox behind a connection; reads of up to `pageSize` records.
    public init(connection: PostgresConnection, pageSize: Int = 1_000, prepares: Bool = false) {
        self.connection = connection
        self.pageSize = pageSize
        self.prepares = prepares
        statements = Self.readStatements(upTo: pageSize)
    }

    /// The read below must go by the index in every case: the tables are never analyzed.
    public static let sessionSettings = """
        SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off
        """

    /// What reads from any position, and what from one with no transactions in progress, as there are none where a change
    /// comes alone: that is answered 0.04 ms earlier, of 0.2.
    ///
    /// $1 the snapshot's xmax, $2 and $3 the transaction that is read in part, $4 those in progress.
    private static func readStatements(upTo pageSize: Int) -> (ofMany: String, ofNew: String) {
        let limit = "ORDER BY xid, id LIMIT \(pageSize + 1)"
        let records = "SELECT xid, id, at, capture, op, rules, old, new, detail FROM unstale.outbox"
        // The snapshot of this very statement, which sees exactly the records that follow, and how many ids were
        // handed out from its xmax on: age() counts back from the next one.
        let snapshot = """
            SELECT NULL::xid8, age(pg_snapshot_xmax(pg_current_snapshot())::xid)::bigint, NULL::timestamptz,
                NULL::int, NULL::"char", NULL::bigint, NULL::text[], NULL::text[], pg_current_snapshot()::text
            """
        // Transactions that had not begun at the cursor (in a restored copy there may be records of some that are yet
        // to come), and those that were in progress.
        let new = """
            \(records) WHERE xid >= $1::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot())
                AND NOT (xid = $2::xid8 AND id <= $3::bigint) \(limit)
            """
        let inProgress = """
            \(records) WHERE xid = ANY ($4::xid8[])
                AND NOT (xid = $2::xid8 AND id <= $3::bigint) \(limit)
            """
        return (
            ofMany: "\(snapshot) UNION ALL (SELECT o.* FROM ((\(new)) UNION ALL (\(inProgress))) AS o \(limit))",
            ofNew: "\(snapshot) UNION ALL (\(new))"
        )
    }

    /// The records that are visible now and were not at `position`, oldest transaction first.
    public func read(from position: ReadPosition) async throws(PostgresError) -> Batch {
        var (statement, parameters) = (
            statements.ofNew,
            [
                Parameter.integer(position.snapshot.xmax), .integer(position.partial?.xid ?? 0),
                .integer(position.partial?.id ?? 0),
            ]
        )
        if !position.snapshot.inProgress.isEmpty {
            statement = statements.ofMany
            parameters.append(.text("{" + position.snapshot.inProgress.map(String.init).joined(separator: ",") + "}"))
        }
        let rows = try await connection.query(
            statement, parameters, binary: true, prepared: prepares, doing: "reading the outbox")
        guard let text = rows.first?.text(8), let current = Snapshot(text) else {
            throw PostgresError(code: .disconnected, message: "no snapshot came", doing: "reading the outbox")
        }
        let isFull = rows.count - 1 > pageSize
        var batch = Batch(
            changes: [], records: min(rows.count - 1, pageSize), writtenAt: [], next: ReadPosition(current),
            snapshot: current, begun: Int(rows[0].binaryInteger(1, as: Int64.self) ?? 0), isFull: isFull,
            failures: [])
        batch.changes.reserveCapacity(batch.records)
        batch.writtenAt.reserveCapacity(batch.records)
        var last: (xid: UInt64, id: Int64)?
        for row in rows.dropFirst().prefix(pageSize) {
            guard let record = OutboxRecord(row) else { continue }
            record.append(to: &batch)
            last = (record.xid, record.id)
        }
        if isFull, let last { batch.next = position.behind(last, within: current) }
        return batch
    }

    /// The records that the transaction which is open on this connection has written so far.
    public func readOwnTransaction() async throws(PostgresError) -> Batch {
        let rows = try await connection.query(
            """
            SELECT xid, id, at, capture, op, rules, old, new, detail FROM unstale.outbox
            WHERE xid = pg_current_xact_id_if_assigned() ORDER BY id
            """, binary: true, doing: "reading the outbox")
        var batch = Batch(
            changes: [], records: rows.count, writtenAt: [], next: ReadPosition(.empty), snapshot: .empty, begun: 0,
            isFull: false, failures: [])
        for row in rows { OutboxRecord(row)?.append(to: &batch) }
        return batch
    }

    /// Empties the time slots that every cursor has passed and that are older than the replay window.
    ///
    /// A slot is locked before it is looked at, so no writer can be in the middle of it; the lock is never waited
    /// for. Each slot is one statement, so others may use the connection too. Without a cursor nobody has passed.
    public func reclaim(passed cursors: [Snapshot]) async throws(PostgresError) {
        guard !cursors.isEmpty else { return }
        let candidates = try await connection.query(
            """
            -- The slot that comes next, and so holds what is oldest, if it holds anything.
            SELECT s.slot FROM unstale.installation AS i,
                LATERAL (SELECT (date_part('epoch', clock_timestamp())::bigint / i.slot_seconds + 1)
                    % \(CaptureSettings.slots)) AS s(slot)
            WHERE pg_relation_size(format('unstale.outbox_%s', s.slot)::regclass) > 0
            """, doing: "emptying the outbox")
        for slot in candidates.compactMap({ $0.int(0) }) {
            let isAhead = cursors.map { cursor in
                let cursor = SQL.literal(cursor.description) + "::pg_snapshot"
                return """
                    EXISTS (SELECT FROM unstale.outbox_\(slot) WHERE xid >= pg_snapshot_xmax(\(cursor))
                            AND xid < pg_snapshot_xmax(pg_current_snapshot()))
                        OR EXISTS (SELECT FROM unstale.outbox_\(slot)
                            WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(\(cursor)))))
                    """
            }
            try await connection.script(
                """
                DO $unstale$ BEGIN
                    LOCK TABLE ONLY unstale.outbox_\(slot) IN ACCESS EXCLUSIVE MODE NOWAIT;
                    IF NOT (\(isAhead.joined(separator: " OR "))) THEN
                        TRUNCATE ONLY unstale.outbox_\(slot);
                    END IF;
                EXCEPTION WHEN lock_not_available THEN NULL;  -- somebody reads or writes it: the next time, then
                END $unstale$
                """, doing: "emptying the outbox")
        }
    }
}
