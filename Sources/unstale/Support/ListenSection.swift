import Capture
import Rules
import Yams

/// Reads the `listen` section of a settings file: which channels tell of changes, and how.
struct ListenSection {
    private(set) var channels: [ListenChannel] = []
    private var reader: SectionReader

    private static let known = ["channel", "tables", "table", "op", "old", "new", "on_gap"]

    /// - Parameter path: The file's, for messages.
    init(_ node: Node, path: String) {
        reader = SectionReader(path: path)
        guard case .sequence(let items) = node else {
            reader.complain(node, "'listen' must be a list of channels")
            return
        }
        for item in items { read(item) }
    }

    /// All that is wrong with it, a line each.
    var mistakes: [String] { reader.mistakes }

    private mutating func read(_ item: Node) {
        guard let fields = reader.fields(of: item, "a channel", known: Self.known),
            let node = reader.required("channel", in: fields, of: item, "a channel"), let name = name(node)
        else { return }
        guard !channels.contains(where: { $0.name == name }) else {
            reader.complain(node, "channel '\(escaped(name))' is there already")
            return
        }
        var channel = ListenChannel(name: name)
        if let tables = fields["tables"] { channel.tables = self.tables(tables) }
        for (field, path) in [
            ("table", \ListenChannel.table), ("op", \.operation), ("old", \.old), ("new", \.new),
        ] {
            if let node = fields[field], let value = self.path(node, field) { channel[keyPath: path] = value }
        }
        if let node = fields["on_gap"], let gap: ListenChannel.Gap = reader.choice(node, "on_gap") {
            channel.onGap = gap
        }
        channels.append(channel)
    }

    private mutating func name(_ node: Node) -> String? {
        // Postgres cuts longer names off (NAMEDATALEN), and `pg_notify` refuses them.
        guard let name = node.scalar?.string, !name.isEmpty, name.utf8.count <= 63 else {
            return reader.fail(node, "'channel' takes the name of a channel, of 1 to 63 bytes")
        }
        guard !name.hasPrefix("unstale") else {
            return reader.fail(node, "channel '\(escaped(name))': names that begin with 'unstale' are our own")
        }
        return name
    }

    private mutating func tables(_ node: Node) -> [TableName] {
        guard case .sequence(let items) = node, !items.isEmpty else {
            return reader.fail(node, "'tables' takes a list of tables") ?? []
        }
        return items.compactMap { item in
            let parts =
                item.scalar?.string.split(separator: ".", omittingEmptySubsequences: false).map(String.init) ?? []
            guard (1...2).contains(parts.count), !parts.contains("") else {
                return reader.fail(item, "a table is written 'table' or 'schema.table'")
            }
            return parts.count == 1 ? TableName(name: parts[0]) : TableName(schema: parts[0], name: parts[1])
        }
    }

    private mutating func path(_ node: Node, _ field: String) -> JSONPath? {
        if let path = node.scalar.flatMap({ JSONPath($0.string) }) { return path }
        return reader.fail(node, "'\(field)' takes a path such as $.\(field)")
    }
}

extension Settings {
    /// The channels on which somebody else's triggers tell of changes.
    func listen() throws(Failure) -> [ListenChannel] {
        guard let file, let node = file.sections["listen"] else { return [] }
        let section = ListenSection(node, path: file.path)
        guard section.mistakes.isEmpty else { throw Failure(.badSettings, section.mistakes) }
        return section.channels
    }

    /// What is listened to; nil: no file says.
    func listening() throws(Failure) -> Listening? { file == nil ? nil : Listening(try listen()) }
}
