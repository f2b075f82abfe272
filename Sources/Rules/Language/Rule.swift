/// Which changes of a table make which keys stale, and what to do about it.
public struct Rule: Sendable {
    /// The rule's name, unique among all rules.
    public let name: Located<String>
    /// The table whose changes it is about.
    public let table: Located<TableName>
    /// Which operations count; TRUNCATE always does.
    public let operations: [Operation]
    /// An update counts only if one of these changed; empty: every update counts.
    public let columns: [Located<String>]
    /// A change counts only if this is true of it.
    public let predicate: SQLPredicate?
    /// A query for the columns of the templates, if they aren't the changed row's own.
    public let lookup: SQLTemplate?
    /// Keys to delete.
    public let delete: Deletion
    /// Entries to load anew.
    public let rewarm: [Rewarm]
    /// Entries to let live a little longer.
    public let expire: Expiration?
    /// Counters of generations to increment.
    public let bump: [Template]
    /// What listeners are told, such as caches inside of processes.
    public let publish: Publication?
    /// Whether a token beside each key keeps readers from storing what they read before the change.
    public let fence: Bool
    /// Delete once more after these times, for readers that were filling the entry meanwhile.
    public let repeatAfter: [Duration]
    /// The names of the targets whose keys it is about; empty: all targets.
    public let targets: [Located<String>]
    /// Where the rule begins.
    public let location: FilePosition
}

extension Rule {
    /// What is to be repeated waits in memory, and the cursor with it; no reader takes so long to fill an entry.
    static let longestRepeat = Duration.seconds(60)

    /// Whether it is about the keys of this target.
    public func concerns(target name: String) -> Bool { targets.isEmpty || targets.contains { $0.value == name } }

    /// Which changes concern the rule: what the trigger evaluates.
    public var condition: Condition {
        // A row that moves makes both keys stale, so a change of any column that its templates use counts.
        let changing = columns.isEmpty ? [] : Set(columns.map(\.value)).union(imageColumns)
        return Condition(operations: operations, columns: changing.sorted(), predicate: predicate?.sql)
    }

    /// The columns that an image must hold for the rule, sorted.
    public var imageColumns: [String] { Set(rowColumns.map(\.value.name)).sorted() }

    /// Every place where the rule uses a column of the changed row in a template or as a parameter.
    var rowColumns: [Located<ImageColumn>] {
        let placed = templates.flatMap(\.placeholders).map { Located($0.column, $0.location) }
        let loaders = rewarm.compactMap(\.sql).flatMap(\.uses)
        let own = (placed + loaders).filter { lookup == nil || $0.value.side != .either }
        return own + (lookup?.uses ?? [])
    }

    /// Every place where the rule names a column of its table, but for the `where`.
    package var tableColumns: [Located<ImageColumn>] {
        columns.map { Located(ImageColumn($0.value), $0.location) } + rowColumns
    }

    /// Every place where the rule uses a column of its lookup's result.
    var lookupColumns: [Located<ImageColumn>] {
        guard lookup != nil else { return [] }
        let placed = templates.flatMap(\.placeholders).map { Located($0.column, $0.location) }
        return (placed + rewarm.compactMap(\.sql).flatMap(\.uses)).filter { $0.value.side == .either }
    }

    /// All templates of the rule, in the order of its actions.
    var templates: [Template] {
        let publication = [publish?.channel, publish?.message].compactMap { $0 }
        let deleted = delete.keys + delete.patterns + delete.tags
        return deleted + rewarm.flatMap(\.templates) + (expire?.keys ?? []) + bump + publication
    }
}
