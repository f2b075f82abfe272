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
        /// How far it had been served a window ago, so what it may come back with; nil: nothing was ever noted.
        let remembered: Snapshot?
        /// Whether it can't be reached or is no longer in the settings, so that time doesn't count for it.
        let isAway: Bool
        /// Whether records are kept for it.
        let isWaitedFor: Bool
    }

    /// Empties what nobody needs of the outbox; past its limit, that is more.
    ///
    /// - Parameter window: The replay window. What was served since it began is kept too; past the limit only for a
    ///   target that is away, until it is declared.
    func tidy(_ connection: PostgresConnection, at now: ServerTime, window: Duration) async throws {
        let outbox = Outbox(connection: connection)
        let rows = try await rows(connection, at: now, window: window)
        var waitedFor = rows.filter(\.isWaitedFor)
        let isPastLimit = try await outbox.size() > worker.settings.outboxLimit
        if isPastLimit {
            var pinning: [(name: String, from: Snapshot)] = []
            for row in waitedFor {
                guard let from = try await pin(of: row, outbox, window: window) else { continue }
                pinning.append((name: row.name, from: from))
            }
            // One at a time: without the one that is furthest behind, there may be room for the others.
            if let last = pinning.min(by: { $0.from.isBehind($1.from) }) {
                try await declare(last.name, connection)
                waitedFor.removeAll { $0.name == last.name }
            }
        }
        var passed = waitedFor.map(\.cursor)
        passed += waitedFor.filter { $0.isAway || !isPastLimit }.compactMap(\.remembered)
        // Where all that there are need a resync, none needs a record.
        if passed.isEmpty, !rows.isEmpty { passed = [try await outbox.here()] }
        try await outbox.reclaim(passed: passed)
    }

    /// All targets that were ever served and not forgotten.
    private func rows(
        _ connection: PostgresConnection, at now: ServerTime, window: Duration
    ) async throws(PostgresError) -> [Row] {
        let rows = try await connection.query(
            "SELECT name, cursor, resync IS NULL, state FROM unstale.targets",
            doing: "reading the cursors")
        return rows.compactMap { row -> Row? in
            guard let cursor = row.text(1).flatMap(Snapshot.init) else { return nil }
            let name = row.text(0) ?? ""
            let state = WorkerState.decode(row.text(3) ?? "{}")
            let isServed = worker.targets.contains { $0.name == name }
            // Where nobody serves it, it has been away since that was noted last.
            let seen = isServed ? now : state.history?.latest ?? now
            // What isn't known may be nothing at all.
            let remembered = state.history.map { $0.cursor(aWindowBefore: seen, window: window) ?? .empty }
            return Row(
                name: name, cursor: cursor, remembered: remembered, isAway: !isServed || state.pausedReason != nil,
                isWaitedFor: row.bool(2))
        }
    }

    /// From where on records are kept for a target although they are older than the window; nil: none is.
    ///
    /// Who is away comes back with what it remembers. For anybody that is up to an eighth older than the window, as the
    /// marks of a history are so far apart. Another eighth is for who is away for a moment: no reason for a resync.
    private func pin(of row: Row, _ outbox: Outbox, window: Duration) async throws(PostgresError) -> Snapshot? {
        if row.isAway, let remembered = row.remembered,
            try await outbox.isHeldUp(by: remembered, margin: window / 4)
        {
            return remembered
        }
        return try await outbox.isHeldUp(by: need(of: row)) ? row.cursor : nil
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
