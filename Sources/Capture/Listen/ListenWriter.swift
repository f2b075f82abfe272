import Postgres
import Rules

/// Writes what was heard into the outbox.
struct ListenWriter: Sendable {
    let connection: PostgresConnection
    private static let doing = "recording notifications"

    /// What became of rows.
    enum Outcome: Sendable {
        case written
        /// They are not, for the capture is no longer the table's.
        case outdated
        /// Some can't be read; this is the first. Those behind it are not written.
        case unreadable(HeardRow)
        /// Postgres refuses the statement, whatever the values are.
        case refused(reason: String)
    }

    /// Writes rows of one table, by its capture.
    func write(_ rows: [HeardRow], of table: ListenedTable) async throws(PostgresError) -> Outcome {
        do throws(PostgresError) {
            return try await record(rows[...], of: table) ? .written : .outdated
        } catch {
            switch error.fault {
            case .server: throw error
            // As with a trigger that fails.
            case .statement: return .refused(reason: error.message)
            case .values: return .unreadable(try await firstUnreadable(rows, of: table))
            }
        }
    }

    /// The first row that can't be read, of several that can't be read together. It is found by halving.
    private func firstUnreadable(
        _ rows: [HeardRow], of table: ListenedTable
    ) async throws(PostgresError) -> HeardRow {
        var suspects = rows[...]
        while suspects.count > 1 {
            let half = suspects.prefix(suspects.count / 2)
            do throws(PostgresError) {
                _ = try await record(half, of: table)
                suspects = suspects.dropFirst(half.count)
            } catch {
                guard error.fault != .server else { throw error }
                suspects = half
            }
        }
        return suspects[suspects.startIndex]
    }

    /// Whether the capture still is the table's; otherwise nothing is written.
    private func record(_ rows: ArraySlice<HeardRow>, of table: ListenedTable) async throws(PostgresError) -> Bool {
        let result = try await connection.query(
            table.statement,
            [
                .texts(rows.map { Array($0.kind.rawValue.utf8) }),
                .texts(rows.map { $0.old.map { Array($0.bytes) } }),
                .texts(rows.map { $0.new.map { Array($0.bytes) } }),
            ], prepared: true, doing: Self.doing)
        return result.first?.bool(0) == true
    }

    /// Any row of these tables counts as changed, for what is refused about each, if anything.
    func write(anyRowsOf tables: [ListenedTable], ring: Bool) async throws(PostgresError) {
        guard !tables.isEmpty else { return }
        _ = try await connection.query(
            ListenStatement.anyRow(ring: ring),
            [
                .texts(tables.map { Array("\($0.capture)".utf8) }),
                .texts(tables.map { $0.refusal.map { Array($0.utf8) } }),
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
