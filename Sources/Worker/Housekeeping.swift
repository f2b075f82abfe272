import Capture
import Logging
import Postgres

/// What is done for all targets together, by the clock: empties the outbox, and says which targets it can't wait for.
struct Housekeeping: Sendable {
    let worker: Worker
    let leadership: Leadership
    /// One that others use too; each statement stands by itself.
    let connection: PostgresConnection

    private struct Row {
        let name: String
        let cursor: Snapshot
        /// Whether records are kept for it.
        let isWaitedFor: Bool
    }

    /// Goes on until the task is cancelled, the lead is lost, or a connection fails.
    func run() async throws {
        var tidied = ContinuousClock.now
        let interval = worker.settings.reclaimInterval
        while true {
            if .now - tidied >= interval {
                try await tidy()
                tidied = .now
            }
            try await leadership.confirm()
            try await Task.sleep(for: min(interval, .seconds(1)))
        }
    }

    private func tidy() async throws {
        let outbox = Outbox(connection: connection)
        let rows = try await rows()
        var waitedFor = rows.filter(\.isWaitedFor)
        if try await outbox.size() > worker.settings.outboxLimit {
            for row in waitedFor where try await outbox.isHeldUp(by: row.cursor) {
                try await declare(row.name)
                waitedFor.removeAll { $0.name == row.name }
            }
        }
        var passed = waitedFor.map(\.cursor)
        // Where all that there are need a resync, none needs a record.
        if passed.isEmpty, !rows.isEmpty { passed = [try await outbox.here()] }
        try await outbox.reclaim(passed: passed)
    }

    /// All targets that were ever served and not forgotten.
    private func rows() async throws(PostgresError) -> [Row] {
        let rows = try await connection.query(
            "SELECT name, cursor, resync IS NULL OR resync = 'running' FROM unstale.targets",
            doing: "reading the cursors")
        return rows.compactMap { row in
            row.text(1).flatMap(Snapshot.init).map {
                Row(name: row.text(0) ?? "", cursor: $0, isWaitedFor: row.bool(2))
            }
        }
    }

    /// From now on no record is kept for a target. That is on the disk before the first is gone.
    private func declare(_ name: String) async throws {
        _ = try await connection.query(
            "UPDATE unstale.targets SET resync = 'needed' WHERE name = $1", [.text(name)],
            doing: "declaring that a target needs a resync")
        worker.logger.error(
            "The outbox is past its limit: a target that it can't wait for needs a resync",
            metadata: ["target": "\(name)", "limit": "\(worker.settings.outboxLimit) bytes"])
        worker.targets.first { $0.name == name }?.resync.update { $0.declare() }
    }
}
