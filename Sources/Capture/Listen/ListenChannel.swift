public import Rules

/// A channel on which somebody else's triggers tell of changes, and how to read what they say.
public struct ListenChannel: Sendable, Equatable {
    /// What counts as changed when notifications may have been missed.
    public enum Gap: String, Sendable, CaseIterable {
        /// Every row of each table of the channel.
        case anyRow = "any-row"
        /// Nothing.
        case ignore
    }

    /// The channel's name, as NOTIFY has it.
    public var name: String
    /// The tables whose changes it tells of; nil: all that rules name.
    public var tables: [TableName]?
    /// Where the table's name stands.
    public var table: JSONPath
    /// Where the operation stands.
    public var operation: JSONPath
    /// Where the row before the change stands.
    public var old: JSONPath
    /// Where the row after the change stands.
    public var new: JSONPath
    /// What counts as changed when notifications may have been missed.
    public var onGap: Gap

    /// A channel with the default paths: `$.table`, `$.op`, `$.old` and `$.new`.
    public init(
        name: String, tables: [TableName]? = nil, table: JSONPath = JSONPath(name: "table"),
        operation: JSONPath = JSONPath(name: "op"), old: JSONPath = JSONPath(name: "old"),
        new: JSONPath = JSONPath(name: "new"), onGap: Gap = .anyRow
    ) {
        self.name = name
        self.tables = tables
        self.table = table
        self.operation = operation
        self.old = old
        self.new = new
        self.onGap = onGap
    }

    /// Whether it tells of a table that some rule names.
    public func tells(of table: TableName) -> Bool { tables?.contains(table) ?? true }
}

extension [ListenChannel] {
    /// Whether any of them tells of a table that some rule names.
    public func tell(of table: TableName) -> Bool { contains { $0.tells(of: table) } }

    /// Whether any row of a table counts as changed when what they tell of it may have been missed.
    func countGaps(of table: TableName) -> Bool { contains { $0.onGap == .anyRow && $0.tells(of: table) } }
}
