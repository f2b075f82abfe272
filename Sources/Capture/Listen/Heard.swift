import Rules

/// What a notification means.
enum Heard: Sendable, Equatable {
    /// A row that has changed.
    case row(HeardRow)
    /// Any row of a table may have changed.
    case anyRow(TableName, lacking: Column?)
    /// It is about a table, or an operation, that no rule is about.
    case ignored
    /// It can't be read. The table that it names counts as changed, where that much can be told.
    case unreadable(anyRowOf: TableName?)

    /// A column that rules need and an image lacks.
    struct Column: Hashable, Sendable {
        var table: TableName
        var name: String
    }
}

/// A changed row as a notification tells it.
struct HeardRow: Sendable, Equatable {
    /// What happened, in the letters that `ListenStatement` reads.
    enum Kind: String, Sendable {
        case insert = "i", update = "u", delete = "d"
        /// An update whose old row is not known.
        case updateWithoutOld = "v"
    }

    var table: TableName
    /// The number of the capture by which it was read.
    var capture: Int32
    var kind: Kind
    /// The row before, a JSON object.
    var old: JSONText?
    /// The row after, a JSON object.
    var new: JSONText?
    var channel: String
    /// All of it, for people.
    var payload: [UInt8]
}
