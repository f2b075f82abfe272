internal import Yams

/// Reads one YAML document, and refuses what a rules file has no use for and an attacker has: anchors, aliases,
/// tags, deep nesting, keys that are not text.
struct YAMLReader {
    /// A rules file is a few kilobytes; one of this size is a mistake.
    static let maximumSize = 1 << 20
    /// The deepest rule needs seven levels.
    static let maximumDepth = 16
    private static let noAliases = "anchors and aliases are not allowed"

    private(set) var diagnostics: [RulesDiagnostic] = []
    private let source: SourceText

    init(_ source: SourceText) { self.source = source }

    /// The document, or nil where it can't be read at all.
    mutating func read() -> YAMLNode? {
        guard source.bytes.count <= Self.maximumSize else {
            return fail(source.location(at: 0), "the file is larger than 1 MiB")
        }
        guard let text = String(validating: source.bytes, as: UTF8.self) else {
            return fail(source.location(at: validPrefix), "the file is not UTF-8")
        }
        if let offset = offsetOfManyAliases {
            return fail(source.location(at: offset), "an alias: \(Self.noAliases)")
        }
        do {
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            // Nodes hold their anchors weakly; the parser keeps them alive.
            return try withExtendedLifetime(parser) {
                guard let root = try parser.nextRoot() else {
                    return fail(source.location(at: 0), "the file is empty")
                }
                let node = convert(root, depth: 1)
                if let second = try parser.nextRoot() {
                    return fail(
                        location(of: second), "a rules file is one YAML document; this begins a second")
                }
                return node
            }
        } catch let error as YamlError {
            return fail(error)
        } catch {
            return fail(source.location(at: 0), "the file can't be read as YAML: \(error)")
        }
    }

    /// Yams compares the keys of a mapping while it composes, and twenty aliases as a key can stand for more than
    /// fits into memory. So where there are many, they are refused by their looks; a few, which may be something
    /// else that looks alike, are composed and refused by what they are.
    private var offsetOfManyAliases: Int? {
        var names: Set<ArraySlice<UInt8>> = []
        var aliases: [Int] = []
        for (index, byte) in source.bytes.enumerated()
        where byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") {
            let name = source.bytes[(index + 1)...].prefix(while: isAnchorByte)
            if name.isEmpty { continue }
            if byte == UInt8(ascii: "&") {
                names.insert(name)
            } else if names.contains(name) {
                aliases.append(index)
            }
        }
        return aliases.count > 16 ? aliases.first : nil
    }

    /// How many bytes are UTF-8 before the first that is not.
    private var validPrefix: Int {
        var decoder = UTF8()
        var bytes = source.bytes.makeIterator()
        var count = 0
        while case .scalarValue(let scalar) = decoder.decode(&bytes) { count += UTF8.width(scalar) }
        return count
    }

    private mutating func convert(_ node: Node, depth: Int) -> YAMLNode? {
        let location = location(of: node)
        if let anchor = node.anchor {
            return fail(location, "the anchor '&\(anchor.rawValue)': \(Self.noAliases)")
        }
        if let tag = node.explicitTag {
            return fail(location, "the tag '\(tag)': tags are not allowed")
        }
        guard depth <= Self.maximumDepth else {
            return fail(location, "nested deeper than \(Self.maximumDepth) levels")
        }
        switch node {
        case .scalar(let scalar):
            return YAMLNode(content: .scalar(convert(scalar, at: location)), location: location)
        case .sequence(let sequence):
            let items = sequence.compactMap { convert($0, depth: depth + 1) }
            return YAMLNode(content: .list(items), location: location)
        case .mapping(let mapping):
            return YAMLNode(content: .mapping(pairs(of: mapping, depth: depth)), location: location)
        case .alias(let alias):
            return fail(location, "the alias '*\(alias.anchor.rawValue)': \(Self.noAliases)")
        }
    }

    private mutating func pairs(
        of mapping: Node.Mapping, depth: Int
    ) -> [(key: YAMLScalar, value: YAMLNode)] {
        var pairs: [(key: YAMLScalar, value: YAMLNode)] = []
        for (key, value) in mapping {
            guard let node = convert(key, depth: depth + 1) else { continue }
            guard case .scalar(let scalar) = node.content else {
                _ = fail(node.location, "a key must be text, not \(node.kind)")
                continue
            }
            guard !pairs.contains(where: { $0.key.text == scalar.text }) else {
                _ = fail(node.location, "'\(scalar.text)' stands twice in this mapping")
                continue
            }
            if let value = convert(value, depth: depth + 1) { pairs.append((scalar, value)) }
        }
        return pairs
    }

    private func convert(_ scalar: Node.Scalar, at location: FilePosition) -> YAMLScalar {
        let style: YAMLScalar.Style =
            switch scalar.style {
            case .singleQuoted: .singleQuoted
            case .doubleQuoted: .doubleQuoted
            case .literal: .literal
            case .folded: .folded
            case .any, .plain: .plain
            }
        return YAMLScalar(text: scalar.string, style: style, location: location, source: source)
    }

    private func location(of node: Node) -> FilePosition {
        source.location(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    private mutating func fail(_ location: FilePosition, _ message: String) -> YAMLNode? {
        diagnostics.append(RulesDiagnostic(location, message))
        return nil
    }

    private mutating func fail(_ error: YamlError) -> YAMLNode? {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let doing = context.map { "\($0.text) from \($0.mark.line):\($0.mark.column): " } ?? ""
            return fail(source.location(line: mark.line, column: mark.column), "not YAML: \(doing)\(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            let location = source.location(line: context.mark.line, column: context.mark.column)
            return fail(location, "'\(keys.first ?? "")' stands twice in this mapping")
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.prefix(offset ?? 0).utf8.count
            return fail(source.location(at: before), "not YAML: \(problem)")
        default:
            return fail(source.location(at: 0), "the file can't be read as YAML: \(error)")
        }
    }
}

extension Node {
    /// The tag that is written in the file; Yams itself tags quoted text.
    fileprivate var explicitTag: String? {
        let tag: Tag
        switch self {
        case .scalar(let scalar): tag = scalar.tag
        case .sequence(let sequence): tag = sequence.tag
        case .mapping(let mapping): tag = mapping.tag
        case .alias: return nil
        }
        // What an untagged value has, before and after Yams compares it with other keys.
        let implied: [Tag.Name] = [.implicit, .str, .seq, .map]
        return implied.contains { $0.rawValue == tag.rawValue } ? nil : tag.rawValue
    }
}

private func isAnchorByte(_ byte: UInt8) -> Bool {
    let lower = byte | 0x20
    return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z") || byte == UInt8(ascii: "-")
        || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || byte == UInt8(ascii: "_")
}
