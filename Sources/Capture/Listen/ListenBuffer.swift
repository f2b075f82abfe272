import Rules

/// What was heard and is not written yet: bounded, whatever is sent. What has no room counts as any row of its table. A
/// value.
struct ListenBuffer: Sendable {
    /// Rows that are kept, at most.
    static let rowLimit = 20_000
    /// Bytes of their payloads, at most.
    static let byteLimit = 16 << 20
    /// Rows that one statement writes, at most.
    static let batch = 1_000

    private var rows: [TableName: [HeardRow]] = [:]
    /// Tables of which any row counts as changed.
    private(set) var anyRows: Set<TableName> = []
    private var count = 0
    private var bytes = 0

    /// Whether there are rows to write.
    var hasRows: Bool { count > 0 }

    /// Takes a row in; false where there is no room, and any row of its table counts as changed.
    mutating func add(_ row: HeardRow) -> Bool {
        // Whatever row it is, it counts as changed anyway.
        guard !anyRows.contains(row.table) else { return true }
        guard count < Self.rowLimit, bytes + row.payload.count <= Self.byteLimit else {
            add(anyRowOf: row.table)
            return false
        }
        rows[row.table, default: []].append(row)
        count += 1
        bytes += row.payload.count
        return true
    }

    /// Any row of the table counts as changed, so that no single row of it needs to be kept.
    mutating func add(anyRowOf table: TableName) {
        anyRows.insert(table)
        remove(rows.removeValue(forKey: table) ?? [])
    }

    /// The tables of which any row counts as changed, for good.
    mutating func takeAnyRows(where isWanted: (TableName) -> Bool) -> Set<TableName> {
        let taken = anyRows.filter(isWanted)
        anyRows.subtract(taken)
        return taken
    }

    /// All rows, those that one statement writes together: they are of one table.
    mutating func takeRows() -> [[HeardRow]] {
        defer { (rows, count, bytes) = ([:], 0, 0) }
        return rows.values.flatMap { rows in
            stride(from: 0, to: rows.count, by: Self.batch).map { Array(rows[$0..<min($0 + Self.batch, rows.count)]) }
        }
    }

    private mutating func remove(_ gone: [HeardRow]) {
        count -= gone.count
        bytes -= gone.reduce(0) { $0 + $1.payload.count }
    }
}
