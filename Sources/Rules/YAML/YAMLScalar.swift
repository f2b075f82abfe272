/// A single value of a rules file as text: YAML's guesses about types are not asked for.
struct YAMLScalar: Sendable {
    /// How a value is written.
    enum Style: Sendable {
        case plain, singleQuoted, doubleQuoted, literal, folded
    }

    let text: String
    let style: Style
    let location: FilePosition
    let source: SourceText

    /// Whether YAML reads it as null.
    var isNull: Bool { style == .plain && ["", "~", "null", "Null", "NULL"].contains(text) }

    /// The place of the text's byte at `offset`: exact for what is written on one line and for literal blocks,
    /// else where the value begins. What is about the whole value is at 0, and points at its quotes.
    func location(at offset: Int) -> FilePosition {
        guard offset > 0 else { return location }
        return switch style {
        case .folded: location
        case .literal: literalLocation(at: offset) ?? location
        case .plain, .singleQuoted, .doubleQuoted: lineLocation(at: offset) ?? location
        }
    }

    /// Walks the value and its source side by side.
    private func lineLocation(at target: Int) -> FilePosition? {
        guard var position = source.offset(of: location) else { return nil }
        if style != .plain { position += 1 }
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < target {
            guard position < source.bytes.count else { return nil }
            if style == .doubleQuoted, source.bytes[position] == UInt8(ascii: "\\") {
                position += escapeLength(at: position)
                repeat { offset += 1 } while offset < bytes.count && !isScalarStart(bytes[offset])
            } else {
                guard offset < bytes.count, source.bytes[position] == bytes[offset] else { return nil }
                position += style == .singleQuoted && bytes[offset] == UInt8(ascii: "'") ? 2 : 1
                offset += 1
            }
        }
        return source.location(at: position)
    }

    private func escapeLength(at position: Int) -> Int {
        switch source.bytes.dropFirst(position + 1).first {
        case UInt8(ascii: "x"): 4
        case UInt8(ascii: "u"): 6
        case UInt8(ascii: "U"): 10
        default: 2
        }
    }

    /// The lines of a literal block follow the one with its `|`, each indented.
    private func literalLocation(at offset: Int) -> FilePosition? {
        let before = text.utf8.prefix(offset)
        let lineStart =
            before.lastIndex(of: UInt8(ascii: "\n")).map(before.index(after:)) ?? before.startIndex
        let number = location.line + 1 + before.count { $0 == UInt8(ascii: "\n") }
        let line = Array(text.utf8[lineStart...].prefix { $0 != UInt8(ascii: "\n") })
        guard let written = source.line(number), written.suffix(line.count).elementsEqual(line) else {
            return nil
        }
        let column = before[lineStart...].count(where: isScalarStart)
        return source.location(line: number, column: written.count - line.count + column + 1)
    }
}
