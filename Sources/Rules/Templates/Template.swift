/// A key, a pattern or another text with `{column}` in it.
public struct Template: Sendable, CustomStringConvertible {
    /// A part of a template.
    public enum Piece: Sendable {
        /// Text as it stands. In a pattern: a piece of the glob.
        case text([UInt8])
        /// What a column brings in.
        case placeholder(Placeholder)
    }

    /// The template as it is written.
    public let source: String
    /// Its parts; neighbouring text is one part.
    public let pieces: [Piece]
    /// Where it begins.
    public let location: FilePosition

    /// The template's columns.
    public var placeholders: [Placeholder] {
        pieces.compactMap { if case .placeholder(let placeholder) = $0 { placeholder } else { nil } }
    }

    /// Whether it is the same text for every row.
    public var isFixed: Bool { placeholders.isEmpty }

    /// The template as it is written.
    public var description: String { source }

    /// The text before the first column.
    var leadingText: [UInt8] {
        if case .text(let text) = pieces.first { text } else { [] }
    }
}
