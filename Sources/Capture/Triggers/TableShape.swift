public import Rules

/// What the catalog says of a table that rules name.
public struct TableShape: Sendable, Equatable {
    /// A column of it.
    public struct Column: Sendable, Equatable {
        /// The column's name.
        public var name: String
        /// Its type as SQL, qualified where need be.
        public var type: String
        /// Which settings its text output depends on.
        public var settings: Set<TextSetting>
        /// Whether its type's `=` is one that `pg_catalog` has, and not an extension's.
        public var hasBuiltinEquality: Bool
        /// Whether `::text` is not the type's text output, which clients see: of a `boolean` or an `inet`.
        public var hasTextCast: Bool
        /// Whether two values are equal only if they are the same bytes.
        public var hasExactEquality: Bool
        /// Whether it is generated when it is read, and so null in transition tables.
        public var isVirtual = false
    }

    /// A table from which others inherit, or of which they are partitions.
    public struct Ancestor: Sendable, Equatable {
        /// The ancestor's name.
        public var name: TableName
        /// The one below it: the table that this is the shape of, or one of its descendants.
        public var member: TableName
        /// Whether that is a partition of it.
        public var isPartition: Bool
    }

    /// The table's OID.
    public var oid: UInt32
    /// Its name.
    public var name: TableName
    /// Its columns in order.
    public var columns: [Column]
    /// The columns of its primary key in order; empty: it has none.
    public var primaryKey: [String]
    /// Its partitions and children, at every level. A parent's statement trigger misses what is written to
    /// them directly.
    public var descendants: [TableName]
    /// Which of them, and of itself, are partitioned, and so have no rows of their own.
    public var partitioned: Set<TableName> = []
    /// Those of its partitions and children that are foreign tables.
    public var foreignDescendants: [TableName] = []
    /// The topmost ones by way of which it, or a descendant, is written to without a trigger of its own firing.
    public var ancestors: [Ancestor] = []

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }
}
