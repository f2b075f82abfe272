import Rules

/// What it takes to record changes of one table that notifications tell of.
struct ListenedTable: Sendable, Equatable {
    let name: TableName
    /// Its partitions and children: a trigger on them tells their names.
    let descendants: [TableName]
    /// The number of its capture.
    let capture: Int32
    /// The SQL that writes rows into the outbox.
    let statement: String
    /// Columns that an image must have: what it lacks would count as null, and make a wrong key or none.
    private let needed: [String]
    /// … of an update, of which it must be told what has changed.
    private let neededForUpdate: [String]
    /// Whether an update can do without its old row: where keys are made of the primary key alone, it has not moved.
    let canLackOld: Bool
    private let operations: Set<Operation>
    /// Why Postgres refuses the statement, whatever the values are; nil: as far as anybody knows, it does not. Then any
    /// row counts as changed, and nobody asks again until the table is looked at anew.
    var refusal: String?

    /// - Parameter ring: Whether a sleeping worker is woken by NOTIFY.
    init(_ shape: TableShape, _ capture: InstalledCapture, ring: Bool) {
        let manifest = capture.manifest
        let predicates = manifest.conditions.compactMap(\.predicate)
        let looked = predicates.flatMap { SQLPredicate.columns(among: shape.columns.map(\.name), in: $0) }
        operations = Set(manifest.conditions.flatMap(\.operations))
        name = shape.name
        descendants = shape.descendants
        self.capture = capture.id
        statement = ListenStatement(shape: shape, capture: capture, ring: ring).sql
        needed = Set(manifest.columns + looked).sorted()
        neededForUpdate = Set(manifest.columns + looked + manifest.conditions.flatMap(\.columns)).sorted()
        canLackOld =
            Set(manifest.columns).isSubset(of: shape.primaryKey)
            && !predicates.contains(where: RowImage.old.isMentioned)
    }

    /// Whether any rule is about this operation.
    func concerns(_ operation: Operation) -> Bool { operations.contains(operation) }

    /// A column that rules need and an image lacks; nil: none.
    func lacks(_ image: JSONObject, in operation: Operation) -> String? {
        (operation == .update ? neededForUpdate : needed).first { image[$0] == nil }
    }
}
