import Rules

/// What a trigger fires for: a statement, or each of the rows that logical replication writes.
enum TriggerEvent: String, CaseIterable, Sendable {
    case insert, update, delete, truncate
    /// Logical replication applies rows, not statements, and fires no triggers of statements but those for TRUNCATE
    /// (manual, chapter Logical Replication, Architecture).
    case insertRow = "insert_row"
    case updateRow = "update_row"
    case deleteRow = "delete_row"

    /// The row operation, if it is one.
    var operation: Operation? {
        switch self {
        case .insert, .insertRow: .insert
        case .update, .updateRow: .update
        case .delete, .deleteRow: .delete
        case .truncate: nil
        }
    }

    var isForEachRow: Bool { self == .insertRow || self == .updateRow || self == .deleteRow }

    /// The trigger's name on every captured table.
    var triggerName: String { "unstale_\(rawValue)" }

    /// What follows AFTER in `CREATE TRIGGER`.
    var statement: String { operation?.rawValue.uppercased() ?? "TRUNCATE" }

    /// The transition tables that the function reads.
    var referencing: String {
        switch self {
        case .insert: " REFERENCING NEW TABLE AS new_rows"
        case .update: " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        case .delete: " REFERENCING OLD TABLE AS old_rows"
        case .truncate, .insertRow, .updateRow, .deleteRow: ""
        }
    }

    /// What the function is called for.
    var level: String { isForEachRow ? "FOR EACH ROW" : "FOR EACH STATEMENT" }
}
