import Capture
import Logging
import Postgres

/// What is done for all targets together, by one of those who serve them: empties the outbox, and says which targets it
/// can't wait for.
struct Housekeeping: Sendable {
    let worker: Worker
    let leadership: Leadership

    private struct Row {
        let name: String
        let cursor: Snapshot
        let history: ServedHistory?
        /// Whether records are kept for it.
        let isWaitedFor: Bool
    }

    /// Empties what nobody needs of the outbox; past its limit, that is more.
    ///
    /// - Parameter window: The replay window. What was served since it began is kept too, up to the limit.
    func tidy(_ connection: PostgresConnection, at now: ServerTime, window: Duration) async throws {
        let outbox = Outbox(connection: connection)
        let rows = try await rows(connection)
        var waitedFor = rows.filter(\.isWaitedFor)
        var passed: [Snapshot] = []
        if try await outbox.size() > worker.settings.outboxLimit {
            var pinning: [Row] = []
            for row in waitedFor where try await outbox.isHeldUp(by: need(of: row)) { pinning.append(row) }
            // One at a time: without the one that is furthest behind, there may be room for the others.
            if let last = pinning.min(by: { $0.cursor.isBehind($1.cursor) }) {
                try await declare(last.name, connection)
                waitedFor.removeAll { $0.name == last.name }
            }
        } else {
            for history in waitedFor.compactMap(\.history) {
                guard let cursor = history.cursor(aWindowBefore: now, window: window) else { return }
                passed.append(cursor)
            }
        }
        passed += waitedFor.map(\.cursor)
        // Where all that there are need a resync, none needs a record.
        if passed.isEmpty, !rows.isEmpty { passed = [try await outbox.here()] }
        try await outbox.reclaim(passed: passed)
    }

    /// All targets that were ever served and not forgotten.
    private func rows(_ connection: PostgresConnection) async throws(PostgresError) -> [Row] {
        let rows = try await connection.query(
            "SELECT name, cursor, resync IS NULL, state FROM unstale.targets",
            doing: "reading the cursors")
        return rows.compactMap { row in
            row.text(1).flatMap(Snapshot.init).map {
                Row(
                    name: row.text(0) ?? "", cursor: $0, history: WorkerState.decode(row.text(3) ?? "{}").history,
                    isWaitedFor: row.bool(2))
            }
        }
    }

    /// Where what a target needs begins.
    private func need(of row: Row) -> Snapshot {
        worker.targets.first { $0.name == row.name }?.resync.current.need(at: row.cursor) ?? row.cursor
    }

    /// From now on no record is kept for a target. That is on the disk before the first is gone.
    private func declare(_ name: String, _ connection: PostgresConnection) async throws {
        _ = try await connection.query(
            "UPDATE unstale.targets SET resync = 'needed' WHERE name = $1", [.text(name)],
            doing: "declaring that a target needs a resync")
        worker.logger.error(
            "The outbox is past its limit: a target that it can't wait for needs a resync",
            metadata: ["target": "\(name)", "limit": "\(worker.settings.outboxLimit) bytes"])
        worker.targets.first { $0.name == name }?.resync.update { $0.declare() }
    }
}
