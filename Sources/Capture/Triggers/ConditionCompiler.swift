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
            case .where(let old, let new): tests.append("(NOT (\(old) AND \(new)) OR \(changed))")
            }
        }
        guard let predicate = condition.predicate else { return tests }
        // A condition that asks about an image which the change doesn't have counts as fulfilled. Of nulls it may say
        // anything: `new.published_at is not null` would keep the entry of a row that is deleted.
        let asked = [RowImage.old, .new].filter { $0.isMentioned(in: predicate) }
        switch pairing {
        case .always where asked.allSatisfy(operation.images.contains): tests.append("(\(predicate))")
        case .never(let side) where asked.allSatisfy { $0 == side }: tests.append("(\(predicate))")
        case .where(let old, let new):
            let areThere = (asked.isEmpty ? [.old, .new] : asked).map { $0 == .old ? old : new }
            tests.append("(CASE WHEN \(areThere.joined(separator: " AND ")) THEN (\(predicate)) ELSE true END)")
        case .always, .never: break
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

/// Whether the row aliases `old` and `new` stand for the two images of a row.
enum Pairing {
    /// For all that the operation has.
    case always
    /// There is this one alone.
    case never(RowImage)
    /// Each where its SQL is true.
    case `where`(old: String, new: String)
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

    /// Whether an SQL expression may look at it.
    func isMentioned(in sql: String) -> Bool { SQLPredicate.mentions(rawValue, in: sql) }
}
