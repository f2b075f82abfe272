/// A column of a changed row, and in which image of the row.
public struct ImageColumn: Hashable, Sendable, CustomStringConvertible {
    /// An image of a row, or both. A template or query that needs an image which a change doesn't have is
    /// skipped; an update of a primary key, or without one, is a delete and an insert, and each has one image.
    public enum Side: Hashable, Sendable {
        /// Once the old and once the new image. In a template of a rule with a lookup: the lookup's result.
        case either
        /// The row before the change.
        case old
        /// The row after the change.
        case new
    }

    /// Which image.
    public var side: Side
    /// The column's name, exactly as the catalog has it.
    public var name: String

    /// The column `name` of an image.
    public init(_ name: String, in side: Side = .either) {
        self.side = side
        self.name = name
    }

    /// Reads `column`, `old.column` or `new.column`.
    init(parsing text: String) {
        let sides: [(String, Side)] = [("old.", .old), ("new.", .new)]
        let side = sides.first { text.utf8.starts(with: $0.0.utf8) }?.1
        self.init(side == nil ? text : String(Substring(text.utf8.dropFirst(4))), in: side ?? .either)
    }

    /// `column`, `old.column` or `new.column`.
    public var description: String {
        switch side {
        case .either: name
        case .old: "old.\(name)"
        case .new: "new.\(name)"
        }
    }
}
