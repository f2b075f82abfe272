import Postgres
import Rules

/// Writes what was heard into the outbox.
struct ListenWriter: Sendable {
    let connection: PostgresConnection
    private static let doing = "recording notifications"

    /// What became of rows.
    struct Outcome: Sendable {
        /// Rows that Postgres could not read.
        var unreadable: [HeardRow] = []
        /// Tables of which any row counts as changed, and why it is not known better.
        var anyRows: [TableName: String?] = [:]
        /// Rows that are not written, for the capture is no longer the table's.
        var outdated: [HeardRow] = []
    }

    /// Writes rows of one table. Those that Postgres can't read are found by halving.
    func write(_ rows: [HeardRow], of table: ListenedTable) async throws(PostgresError) -> Outcome {
        var outcome = Outcome()
        try await write(rows[...], of: table, &outcome)
        return outcome
    }

    private func write(
        _ rows: ArraySlice<HeardRow>, of table: ListenedTable, _ outcome: inout Outcome
    ) async throws(PostgresError) {
        do throws(PostgresError) {
            let result = try await connection.query(
                table.statement,
                [
                    .texts(rows.map { Array($0.kind.rawValue.utf8) }),
                    .texts(rows.map { $0.old.map { Array($0.bytes) } }),
                    .texts(rows.map { $0.new.map { Array($0.bytes) } }),
                ], prepared: true, doing: Self.doing)
            if result.first?.bool(0) != true { outcome.outdated += rows }
        } catch {
            switch error.fault {
            case .server: throw error
            // As with a trigger that fails.
            case .statement: outcome.anyRows[table.name] = error.message
            case .values where rows.count == 1:
                outcome.unreadable += rows
                if outcome.anyRows[table.name] == nil { outcome.anyRows.updateValue(nil, forKey: table.name) }
            case .values:
                let middle = rows.startIndex + rows.count / 2
                try await write(rows[..<middle], of: table, &outcome)
                try await write(rows[middle...], of: table, &outcome)
            }
        }
    }

    /// Any row of these tables counts as changed, each for the reason that is given.
    func write(anyRowsOf tables: [(table: ListenedTable, reason: String?)], ring: Bool) async throws(PostgresError) {
        guard !tables.isEmpty else { return }
        _ = try await connection.query(
            ListenStatement.anyRow(ring: ring),
            [
                .texts(tables.map { Array("\($0.table.capture)".utf8) }),
                .texts(tables.map { $0.reason.map { Array($0.utf8) } }),
            ], doing: Self.doing)
    }
}

extension PostgresError {
    /// What was at fault.
    fileprivate enum Fault { case server, statement, values }

    /// By classes of the manual's appendix A. A transaction that was rolled back (40) or a lock (55) is nobody's fault
    /// here; what is unknown or forbidden (42), or not possible (0A), is so whatever the values are.
    fileprivate var fault: Fault {
        guard let sqlState, !isServerTrouble else { return .server }
        return switch sqlState.prefix(2) {
        case "25", "26", "40", "55": .server
        case "42", "0A": .statement
        default: .values
        }
    }
}
