import Rules

/// Reads the payloads of one channel. Pure: the same payload always means the same.
struct PayloadReader: Sendable {
    private let channel: ListenChannel
    /// Tables by their names as payloads have them: those of partitions stand for their table, and a name without its
    /// schema for every table that has it.
    private let names: [String: Set<TableName>]
    /// The channel's table, where it is told to have one.
    private let onlyTable: TableName?
    /// Those whose capture is known.
    private let captured: [TableName: ListenedTable]

    /// - Parameters:
    ///   - tables: The tables whose changes the channel tells of, and that rules name.
    ///   - captured: What is known of those, and perhaps of others.
    init(_ channel: ListenChannel, tables: [TableName], captured: [TableName: ListenedTable]) {
        self.channel = channel
        self.captured = captured
        let own = tables.map { ($0, $0) }
        let inherited = tables.flatMap { table in (captured[table]?.descendants ?? []).map { ($0, table) } }
        let all = (own + inherited).flatMap { name, table in
            [name.description, name.name].map { ($0, Set([table])) }
        }
        names = Dictionary(all) { $0.union($1) }
        onlyTable = channel.tables?.count == 1 ? tables.first : nil
    }

    /// What a payload means: one thing, or one for each table that has the name which it gives.
    func read(_ payload: [UInt8]) -> [Heard] {
        guard let json = JSONText(payload) else { return read(plain: payload) }
        if let name = json.string { return named(name) }
        guard let json = json.object else { return [.unreadable(anyRowOf: onlyTable)] }
        guard let value = channel.table.value(in: json) else {
            return [onlyTable.map { read(json, of: $0, payload) } ?? .unreadable(anyRowOf: nil)]
        }
        guard let name = value.string else { return [.unreadable(anyRowOf: onlyTable)] }
        return tables(named: name)?.map { read(json, of: $0, payload) } ?? [.ignored]
    }

    /// Just a table's name; nothing at all is enough where the channel has but one table.
    private func read(plain payload: [UInt8]) -> [Heard] {
        guard let text = String(validating: payload, as: UTF8.self) else { return [.unreadable(anyRowOf: onlyTable)] }
        let name = text.trimmed
        if name.isEmpty, let onlyTable { return [.anyRow(onlyTable, lacking: nil)] }
        return named(name)
    }

    private func named(_ name: String) -> [Heard] {
        if let tables = tables(named: name) { return tables.map { .anyRow($0, lacking: nil) } }
        return [name.isName ? .ignored : .unreadable(anyRowOf: onlyTable)]
    }

    /// A name as the catalog has it, or as SQL writes it; nil: it is none of ours.
    private func tables(named name: String) -> Set<TableName>? { names[name] ?? names[name.withoutQuotes] }

    private func read(_ json: JSONObject, of table: TableName, _ payload: [UInt8]) -> Heard {
        let values = (old: channel.old.value(in: json), new: channel.new.value(in: json))
        let (old, new) = (values.old?.object, values.new?.object)
        guard (values.old == nil) == (old == nil), (values.new == nil) == (new == nil) else {
            return .unreadable(anyRowOf: table)
        }
        var operation: Operation?
        if let value = channel.operation.value(in: json) {
            guard let word = value.string, let named = HeardOperation(word) else {
                return .unreadable(anyRowOf: table)
            }
            operation = named.row
            guard operation != nil else { return .anyRow(table, lacking: nil) }
        } else if old != nil {
            // Where nothing is said, what there is tells; but a new row alone may be an insert or an update.
            operation = new == nil ? .delete : .update
        }
        guard let operation, let known = captured[table] else { return .anyRow(table, lacking: nil) }
        guard known.concerns(operation) else { return .ignored }
        guard known.refusal == nil else { return .anyRow(table, lacking: nil) }
        return row(operation, old, new, of: known, payload)
    }

    private func row(
        _ operation: Operation, _ old: JSONObject?, _ new: JSONObject?, of table: ListenedTable, _ payload: [UInt8]
    ) -> Heard {
        let (old, new) = (operation == .insert ? nil : old, operation == .delete ? nil : new)
        let kind: HeardRow.Kind
        switch (operation, old, new) {
        case (.insert, _, .some): kind = .insert
        case (.delete, .some, _): kind = .delete
        case (.update, .some, .some): kind = .update
        case (.update, nil, .some) where table.canLackOld: kind = .updateWithoutOld
        default: return .anyRow(table.name, lacking: nil)
        }
        // Of an update whose old row is not known, nobody can ask what has changed.
        let asked = kind == .updateWithoutOld ? .insert : operation
        for image in [old, new].compactMap(\.self) {
            if let column = table.lacks(image, in: asked) {
                return .anyRow(table.name, lacking: Heard.Column(table: table.name, name: column))
            }
        }
        return .row(
            HeardRow(
                table: table.name, capture: table.capture, kind: kind, old: old?.text, new: new?.text,
                channel: channel.name, payload: payload))
    }
}

/// An operation as a payload names it.
private enum HeardOperation {
    case insert, update, delete, truncate

    init?(_ word: String) {
        switch word.lowercased() {
        case "insert", "i": self = .insert
        case "update", "u": self = .update
        case "delete", "d": self = .delete
        case "truncate", "t": self = .truncate
        default: return nil
        }
    }

    /// Nil for TRUNCATE.
    var row: Operation? {
        switch self {
        case .insert: .insert
        case .update: .update
        case .delete: .delete
        case .truncate: nil
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// Whether it could be the name of a table, and is not just anything.
    fileprivate var isName: Bool {
        let parts = split(separator: ".", omittingEmptySubsequences: false)
        return utf8.count <= 200 && (1...2).contains(parts.count)
            && parts.allSatisfy { part in
                let isQuoted = part.count > 2 && part.hasPrefix("\"") && part.hasSuffix("\"")
                return isQuoted || !part.isEmpty && part.allSatisfy { $0.isLetter || $0.isNumber || "_$".contains($0) }
            }
    }

    /// `"My""Table"` is `My"Table`; a name that has no quotes stays as it is.
    fileprivate var withoutQuotes: String {
        var name = ""
        var isInside = false
        var rest = Substring(self)
        while let character = rest.popFirst() {
            guard character == "\"" else {
                name.append(character)
                continue
            }
            if isInside, rest.first == "\"" {
                name.append(rest.removeFirst())
            } else {
                isInside.toggle()
            }
        }
        return name
    }
}
