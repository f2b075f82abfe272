/// Cuts SQL into words, quotes, comments and the rest, as Postgres does with its default settings.
struct SQLLexer {
    private let bytes: [UInt8]
    private var position = 0

    static func tokens(of source: String) throws(TemplateError) -> [SQLToken] {
        var lexer = SQLLexer(bytes: Array(source.utf8))
        var tokens: [SQLToken] = []
        while lexer.position < lexer.bytes.count {
            let start = lexer.position
            let kind = try lexer.advance()
            tokens.append(SQLToken(kind: kind, bytes: lexer.bytes[start..<lexer.position]))
        }
        return tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Moves behind the next token.
    private mutating func advance() throws(TemplateError) -> SQLToken.Kind {
        let byte = bytes[position]
        switch byte {
        case UInt8(ascii: "'"):
            try skipQuoted(by: byte, "string")
            return .string
        case UInt8(ascii: "\""):
            try skipQuoted(by: byte, "identifier")
            return .identifier
        case UInt8(ascii: "$"):
            return try skipDollar()
        case UInt8(ascii: "-") where peek(1) == byte:
            skip { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            return .comment
        case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
            try skipBlockComment()
            return .comment
        case _ where isSpace(byte):
            skip(isSpace)
            return .space
        case _ where isDigit(byte):
            skip(isDigit)
            return .number
        case _ where isWordByte(byte):
            return try skipWord()
        default:
            position += 1
            return .symbol(byte)
        }
    }

    private mutating func skipWord() throws(TemplateError) -> SQLToken.Kind {
        let start = position
        skip(isWordByte)
        guard position == start + 1 else { return .word }
        switch (bytes[start] | 0x20, peek(), peek(1)) {
        case (UInt8(ascii: "e"), UInt8(ascii: "'"), _):
            try skipQuoted(by: UInt8(ascii: "'"), backslashEscapes: true, "string")
            return .string
        case (UInt8(ascii: "u"), UInt8(ascii: "&"), UInt8(ascii: "\"")):
            throw TemplateError(message: "an identifier written as U&\"…\" is not supported", offset: start)
        default:
            return .word
        }
    }

    /// A doubled quote stands for one.
    private mutating func skipQuoted(
        by quote: UInt8, backslashEscapes: Bool = false, _ what: String
    ) throws(TemplateError) {
        let start = position
        position += 1
        while let byte = peek() {
            if backslashEscapes && byte == UInt8(ascii: "\\") || byte == quote && peek(1) == quote {
                position += 2
            } else {
                position += 1
                if byte == quote { return }
            }
        }
        throw TemplateError(message: "the \(what) is never closed", offset: start)
    }

    /// `$tag$…$tag$`, `$1`, or just a dollar sign.
    private mutating func skipDollar() throws(TemplateError) -> SQLToken.Kind {
        let start = position
        position += 1
        if let digit = peek(), isDigit(digit) {
            skip(isDigit)
            return .positional
        }
        skip { isWordByte($0) && $0 != UInt8(ascii: "$") }
        guard peek() == UInt8(ascii: "$") else {
            position = start + 1
            return .symbol(UInt8(ascii: "$"))
        }
        let delimiter = bytes[start...position]
        position += 1
        while position < bytes.count {
            if bytes[position...].starts(with: delimiter) {
                position += delimiter.count
                return .string
            }
            position += 1
        }
        throw TemplateError(message: "the string is never closed", offset: start)
    }

    /// Comments nest.
    private mutating func skipBlockComment() throws(TemplateError) {
        let start = position
        var depth = 0
        repeat {
            switch (peek(), peek(1)) {
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                depth += 1
                position += 2
            case (UInt8(ascii: "*"), UInt8(ascii: "/")):
                depth -= 1
                position += 2
            case (nil, _): throw TemplateError(message: "the comment is never closed", offset: start)
            default: position += 1
            }
        } while depth > 0
    }

    private func peek(_ ahead: Int = 0) -> UInt8? {
        position + ahead < bytes.count ? bytes[position + ahead] : nil
    }

    private mutating func skip(_ belongs: (UInt8) -> Bool) {
        while let byte = peek(), belongs(byte) { position += 1 }
    }
}

private func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte >= 9 && byte <= 13 }

private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

private func isWordByte(_ byte: UInt8) -> Bool {
    let lower = byte | 0x20
    return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z") || byte >= 0x80 || isDigit(byte)
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
}
