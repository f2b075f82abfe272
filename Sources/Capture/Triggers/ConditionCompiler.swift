import Postgres
import Rules

/// Compiles a table's conditions into the SQL expression for the bits of one operation.
struct ConditionCompiler {
    let conditions: [Condition]
    /// Columns whose values are equal only if they are the same bytes.
    let exactColumns: Set<String>

    /// Whether any condition is about this operation.
    func concerns(_ operation: Operation) -> Bool {
        conditions.contains { $0.operations.contains(operation) }
    }

    /// Whether a condition of this operation looks at the row before (or after) the change.
    func mentions(_ image: RowImage, in operation: Operation) -> Bool {
        conditions.contains { condition in
            condition.operations.contains(operation) && condition.predicate.map(image.isMentioned) ?? false
        }
    }

    /// The bits of the conditions that a row of this operation fulfils, as a bigint expression over the row
    /// aliases `old` and `new`.
    func mask(_ operation: Operation, pairing: Pairing = .always) -> String {
        var constant: Int64 = 0
        var terms: [String] = []
        for (bit, condition) in conditions.enumerated() where condition.operations.contains(operation) {
            let tests = tests(condition, operation, pairing)
            if tests.isEmpty {
                constant |= 1 << bit
            } else {
                let bits = Int64(1) << bit
                terms.append("CASE WHEN \(tests.joined(separator: " AND ")) THEN \(bits)::bigint ELSE 0 END")
            }
        }
        if constant != 0 || terms.isEmpty { terms.insert("\(constant)::bigint", at: 0) }
        return terms.joined(separator: "\n            | ")
    }

    private func tests(_ condition: Condition, _ operation: Operation, _ pairing: Pairing) -> [String] {
        var tests: [String] = []
        if operation == .update, !condition.columns.isEmpty {
            let changed = changed(condition.columns)
            switch pairing {
            case .always: tests.append(changed)
            case .never: break
            case .where(let paired): tests.append("(NOT (\(paired)) OR \(changed))")
            }
        }
        guard let predicate = condition.predicate else { return tests }
        // Where a condition asks about an image that the change doesn't have, unknown counts as yes: of
        // `new.status = 'active'` a DELETE can't say no, and a stale entry must not survive.
        let unlessFalse = "((\(predicate)) IS NOT FALSE)"
        switch (operation, pairing) {
        case (.insert, _) where RowImage.old.isMentioned(in: predicate): tests.append(unlessFalse)
        case (.delete, _) where RowImage.new.isMentioned(in: predicate): tests.append(unlessFalse)
        case (.update, .never): tests.append(unlessFalse)
        case (.update, .where(let paired)):
            tests.append("(CASE WHEN \(paired) THEN (\(predicate)) ELSE \(unlessFalse) END)")
        default: tests.append("(\(predicate))")
        }
        return tests
    }

    /// Whether one of the columns changed. Byte by byte, where a type's `=` is not exact enough: 1.0 and 1.00 are
    /// equal and read differently, and json has no equality at all.
    private func changed(_ columns: [String]) -> String {
        let exact = columns.filter(exactColumns.contains).map { name in
            "old.\(SQL.identifier(name)) IS DISTINCT FROM new.\(SQL.identifier(name))"
        }
        let inexact = columns.filter { !exactColumns.contains($0) }
        guard !inexact.isEmpty else { return "(\(exact.joined(separator: " OR ")))" }
        let old = row("old", inexact), new = row("new", inexact)
        return "(" + (exact + ["\(old) OPERATOR(pg_catalog.*<>) \(new)"]).joined(separator: " OR ") + ")"
    }

    private func row(_ alias: String, _ columns: [String]) -> String {
        "ROW(" + columns.map { "\(alias).\(SQL.identifier($0))" }.joined(separator: ", ") + ")::record"
    }
}

/// Whether the row aliases `old` and `new` stand for two images of one row.
enum Pairing {
    case always, never
    /// Where this SQL is true.
    case `where`(String)
}

extension Operation {
    /// The images that a change of this kind has.
    var images: [RowImage] {
        switch self {
        case .insert: [.new]
        case .update: [.old, .new]
        case .delete: [.old]
        }
    }
}

/// Which side of a change.
enum RowImage: String {
    case old, new

    /// Whether an SQL expression may look at it: over-approximated, for a word in a string counts too.
    func isMentioned(in sql: String) -> Bool {
        sql.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == rawValue }
    }
}
