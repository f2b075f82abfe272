/// Names a table exactly as the catalog has it: no folding, no quoting.
public struct TableName: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The schema's name.
    public var schema: String
    /// The table's name in it.
    public var name: String

    /// The table `schema.name`.
    public init(schema: String = "public", name: String) {
        self.schema = schema
        self.name = name
    }

    /// `schema.name`, for people.
    public var description: String { "\(schema).\(name)" }
}

/// A row operation that a rule can ask for.
public enum Operation: String, Sendable, Codable, CaseIterable {
    case insert, update, delete
}

/// Which changes of a table concern a rule. Rules with the same condition share one bit in the outbox.
public struct Condition: Hashable, Sendable, Codable {
    /// The operations that count, in the order insert, update, delete.
    public var operations: [Operation]
    /// An update counts only if one of these changed; empty: every update counts. Sorted, each once. It holds
    /// the rule's `columns` and, because a row that moves makes both keys stale, every column its templates use.
    public var columns: [String]
    /// The rule's `where`: SQL over `old` and `new`.
    public var predicate: String?

    /// The condition of a rule.
    public init(operations: [Operation], columns: [String] = [], predicate: String? = nil) {
        self.operations = operations
        self.columns = columns
        self.predicate = predicate
    }
}

/// What one capture records of one table: how the worker reads the records that carry its number.
public struct Manifest: Equatable, Sendable, Codable {
    /// The captured table.
    public var table: TableName
    /// The columns of an image, in order.
    public var columns: [String]
    /// The conditions behind the bits of a record, at most 63.
    public var conditions: [Condition]
    /// How its changes become known; nil: by our own triggers.
    public var source: ChangeSource?

    /// The manifest of a capture.
    public init(table: TableName, columns: [String], conditions: [Condition], source: ChangeSource? = nil) {
        self.table = table
        self.columns = columns
        self.conditions = conditions
        self.source = source
    }
}

extension [Int32: Manifest] {
    /// The number of a table's newest capture; nil: it has none.
    public func newest(of table: TableName) -> Int32? { filter { $0.value.table == table }.keys.max() }
}

/// How changes become known, if not by our own triggers.
public enum ChangeSource: String, Sendable, Codable {
    /// By notifications that somebody else's triggers send.
    case notifications
}
