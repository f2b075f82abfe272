/// A piece of SQL.
struct SQLToken {
    /// What the piece is.
    enum Kind: Equatable {
        case space, comment, number
        /// A keyword or a plain identifier.
        case word
        /// A `"quoted identifier"`.
        case identifier
        /// A constant in any kind of quotes.
        case string
        /// A parameter of Postgres' own, `$1`.
        case positional
        /// One byte that is none of the others.
        case symbol(UInt8)
    }

    let kind: Kind
    let bytes: ArraySlice<UInt8>

    /// How far from the beginning of the SQL it stands, in bytes.
    var offset: Int { bytes.startIndex }

    /// The piece as it is written.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The name that Postgres makes of a word or an identifier: it folds ASCII letters only.
    var name: String {
        guard kind == .identifier else {
            let folded = bytes.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 0x20 : $0 }
            return String(decoding: folded, as: UTF8.self)
        }
        var isEscape = false
        let inner = bytes.dropFirst().dropLast().filter { byte in
            isEscape = byte == UInt8(ascii: "\"") && !isEscape
            return !isEscape
        }
        return String(decoding: inner, as: UTF8.self)
    }

    /// The column that it names as a parameter: exactly as it is written.
    var parameterName: String { kind == .word ? text : name }

    var isBlank: Bool { kind == .space || kind == .comment }

    var isName: Bool { kind == .word || kind == .identifier }
}
