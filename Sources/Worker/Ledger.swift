import Capture
import Postgres

/// A target's row in `unstale.targets`: its cursor and what the worker last knew of it.
struct Ledger: Sendable {
    let connection: PostgresConnection
    let target: String

    struct Entry: Equatable, Sendable {
        var cursor: Snapshot
        var cluster: String
        /// Which Redis was served, as JSON; nil: none yet.
        var server: String?
        var state: WorkerState
        /// Why the cursor means nothing, as it is stored; nil: it does. It is not stored with the rest.
        var resync: String?
    }

    func load() async throws(PostgresError) -> Entry? {
        let rows = try await connection.query(
            "SELECT cursor, cluster, server, state, resync FROM unstale.targets WHERE name = $1", [.text(target)],
            doing: "reading the cursor")
        guard let row = rows.first, let cursor = row.text(0).flatMap(Snapshot.init) else { return nil }
        return Entry(
            cursor: cursor, cluster: row.text(1) ?? "", server: row.text(2), state: .decode(row.text(3) ?? "{}"),
            resync: row.text(4))
    }

    /// How many records there are behind a cursor; past a million they are not counted.
    func backlog(behind cursor: Snapshot) async throws(PostgresError) -> Int {
        let rows = try await connection.query(
            """
            SELECT count(*) FROM (
                SELECT FROM unstale.outbox AS o
                WHERE (o.xid >= pg_snapshot_xmax($1::pg_snapshot) AND o.xid < pg_snapshot_xmax(pg_current_snapshot()))
                    OR o.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
                LIMIT 1000000
            ) AS ahead
            """, [.text(cursor.description)], doing: "counting the backlog")
        return rows.first?.int(0) ?? 0
    }

    /// Why the cursor means nothing; nil: it does.
    func resync() async throws(PostgresError) -> String? {
        let rows = try await connection.query(
            "SELECT resync FROM unstale.targets WHERE name = $1", [.text(target)], doing: "reading the cursor")
        return rows.first?.text(0)
    }

    /// Has every row of the captures' tables count as changed for the target, and the cursor begin before that: what was
    /// recorded earlier means nothing. Gives the cursor.
    ///
    /// The snapshot is older than the records of this very statement, whose transaction gets its id by writing.
    func beginAnew(_ captures: [Int32], cluster: String) async throws(PostgresError) -> Snapshot {
        let rows = try await connection.query(
            """
            WITH begun AS (
                UPDATE unstale.targets SET cursor = pg_current_snapshot(), cluster = $4, resync = NULL WHERE name = $3),
            written AS (\(Replay.everyRow))
            SELECT pg_current_snapshot()
            """, Replay.everyRow(captures, for: scope) + [.text(target), .text(cluster)],
            doing: "counting all rows as changed")
        guard let cursor = rows.first?.text(0).flatMap(Snapshot.init) else {
            throw PostgresError(code: .disconnected, message: "no snapshot came", doing: "counting all rows as changed")
        }
        return cursor
    }

    /// Has every row of the captures' tables count as changed for the target, by records that take the way of all.
    func countAsChanged(_ captures: [Int32]) async throws(PostgresError) {
        _ = try await connection.query(
            Replay.everyRow, Replay.everyRow(captures, for: scope), doing: "counting all rows as changed")
    }

    private var scope: Replay.Scope { Replay.Scope(target: target) }

    /// Stores the row. It need not survive a crash of Postgres: what is served twice is harmless, so the commit
    /// does not wait for the disk.
    func store(_ entry: Entry, deadline: Duration = .seconds(30)) async throws(PostgresError) {
        _ = try await connection.query(
            """
            INSERT INTO unstale.targets AS t (name, cursor, cluster, server, state)
            SELECT $1, $2::pg_snapshot, $3, $4, $5::jsonb
            WHERE pg_catalog.set_config('synchronous_commit', 'off', true) IS NOT NULL
            ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, cluster = excluded.cluster,
                server = excluded.server, state = excluded.state, updated_at = now()
            """,
            [
                .text(target), .text(entry.cursor.description), .text(entry.cluster),
                entry.server.map { .text($0) } ?? .null, .text(entry.state.json),
            ], deadline: deadline, doing: "storing the cursor")
    }
}
