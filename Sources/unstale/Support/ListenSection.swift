import Capture
import Rules
import Yams

/// Reads the `listen` section of a settings file: which channels tell of changes, and how.
struct ListenSection {
    private(set) var channels: [ListenChannel] = []
    /// All that is wrong with it, a line each.
    private(set) var mistakes: [String] = []
    private let path: String

    private enum Field: String, CaseIterable {
        case channel, tables, table, op, old, new
        case onGap = "on_gap"
    }

    /// - Parameter path: The file's, for messages.
    init(_ node: Node, path: String) {
        self.path = path
        guard case .sequence(let items) = node else {
            complain(node, "'listen' takes a list of channels")
            return
        }
        for item in items { read(item) }
    }

    private mutating func read(_ item: Node) {
        guard case .mapping(let mapping) = item else { return complain(item, "a channel is a mapping with 'channel'") }
        var fields: [Field: Node] = [:]
        for (key, value) in mapping {
            guard let word = key.string, let field = Field(rawValue: word) else {
                let question = key.string.flatMap { Field.allCases.map(\.rawValue).nearest(to: $0) }
                    .map { "; did you mean '\($0)'?" }
                complain(key, "unknown field '\(escaped(key.string ?? ""))'\(question ?? "")")
                continue
            }
            fields[field] = value
        }
        guard let node = fields[.channel] else { return complain(item, "a channel needs 'channel'") }
        guard let name = name(node) else { return }
        guard !channels.contains(where: { $0.name == name }) else {
            return complain(node, "channel '\(escaped(name))' is there already")
        }
        var channel = ListenChannel(name: name)
        if let tables = fields[.tables] { channel.tables = self.tables(tables) }
        for (field, path) in [
            (Field.table, \ListenChannel.table), (.op, \.operation), (.old, \.old), (.new, \.new),
        ] {
            if let node = fields[field], let value = self.path(node, field) { channel[keyPath: path] = value }
        }
        if let node = fields[.onGap], let gap = gap(node) { channel.onGap = gap }
        channels.append(channel)
    }

    private mutating func name(_ node: Node) -> String? {
        // Postgres cuts longer names off (NAMEDATALEN), and `pg_notify` refuses them.
        guard let name = node.scalar?.string, !name.isEmpty, name.utf8.count <= 63 else {
            complain(node, "'channel' takes the name of a channel, of 1 to 63 bytes")
            return nil
        }
        guard !name.hasPrefix("unstale") else {
            complain(node, "channel '\(escaped(name))': names that begin with 'unstale' are our own")
            return nil
        }
        return name
    }

    private mutating func tables(_ node: Node) -> [TableName] {
        guard case .sequence(let items) = node, !items.isEmpty else {
            complain(node, "'tables' takes a list of tables")
            return []
        }
        return items.compactMap { item in
            let parts =
                item.scalar?.string.split(separator: ".", omittingEmptySubsequences: false).map(String.init) ?? []
            guard (1...2).contains(parts.count), !parts.contains("") else {
                complain(item, "a table is written 'table' or 'schema.table'")
                return nil
            }
            return parts.count == 1 ? TableName(name: parts[0]) : TableName(schema: parts[0], name: parts[1])
        }
    }

    private mutating func path(_ node: Node, _ field: Field) -> JSONPath? {
        if let path = node.scalar.flatMap({ JSONPath($0.string) }) { return path }
        complain(node, "'\(field.rawValue)' takes a path such as $.\(field.rawValue)")
        return nil
    }

    private mutating func gap(_ node: Node) -> ListenChannel.Gap? {
        if let gap = node.scalar.flatMap({ ListenChannel.Gap(rawValue: $0.string) }) { return gap }
        complain(node, "'on_gap' is none of \(ListenChannel.Gap.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    private mutating func complain(_ node: Node, _ text: String) {
        mistakes.append("\(path)\(node.mark.map { ":\($0.line):\($0.column)" } ?? ""): \(text)")
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
