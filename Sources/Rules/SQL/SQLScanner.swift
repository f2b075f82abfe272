/// Makes sure that a text is one SQL expression or query and nothing besides, and finds its parameters.
struct SQLScanner {
    /// A part of the scanned text.
    enum Piece: Sendable {
        /// Text with each comment replaced by a space.
        case text(String)
        /// A `:column`.
        case parameter(ImageColumn)
    }

    private(set) var pieces: [Piece] = []
    /// The parameters in order, and how far from the beginning their `:` stands.
    private(set) var parameters: [(column: ImageColumn, offset: Int)] = []
    /// Keywords and identifiers, as Postgres will see them.
    private(set) var words: Set<String> = []
    /// Whether `old` or `new` is used other than for one of its columns.
    private(set) var mentionsWholeRow = false
    /// The tokens, without space and comments around them.
    let tokens: [SQLToken]

    private var index = 0
    private var text = ""
    private var brackets: [SQLToken] = []

    init(_ source: String) throws(TemplateError) {
        let all = try SQLLexer.tokens(of: source)
        let end = all.lastIndex { !$0.isBlank }.map { $0 + 1 } ?? 0
        tokens = all[..<end].drop(while: \.isBlank).map { $0 }
        while let token = peek() {
            switch token.kind {
            case .comment: text += " "
            case .symbol(let symbol): try read(symbol, token)
            case .word, .identifier: read(name: token)
            case .positional:
                throw TemplateError(
                    message: "'\(token.text)': parameters are written :column", offset: token.offset)
            case .space, .number, .string: text += token.text
            }
            index += 1
        }
        if let open = brackets.last {
            throw TemplateError(message: "the '\(open.text)' is never closed", offset: open.offset)
        }
        endText()
    }

    private mutating func read(_ symbol: UInt8, _ token: SQLToken) throws(TemplateError) {
        switch symbol {
        case UInt8(ascii: ";"):
            throw TemplateError(message: "a ';' outside of quotes", offset: token.offset)
        case UInt8(ascii: "("), UInt8(ascii: "["):
            brackets.append(token)
        case UInt8(ascii: ")"), UInt8(ascii: "]"):
            let opening = symbol == UInt8(ascii: ")") ? "(" : "["
            guard brackets.popLast()?.text == opening else {
                throw TemplateError(message: "the '\(token.text)' closes nothing", offset: token.offset)
            }
        case UInt8(ascii: ":"):
            return readColon(token)
        default: break
        }
        text += token.text
    }

    private mutating func read(name token: SQLToken) {
        text += token.text
        words.insert(token.name)
        if token.name == "old" || token.name == "new" {
            let isColumn = peek(1)?.kind == .symbol(UInt8(ascii: ".")) && peek(2)?.isName == true
            mentionsWholeRow = mentionsWholeRow || !isColumn
        }
    }

    private mutating func readColon(_ colon: SQLToken) {
        let next = peek(1)
        if next?.kind == .symbol(UInt8(ascii: ":")) || next?.kind == .symbol(UInt8(ascii: "=")) {
            text += colon.text + (next?.text ?? "")
            index += 1
        } else if let next, next.isName, !isSlice {
            readParameter(next, at: colon.offset)
        } else {
            text += colon.text
        }
    }

    private mutating func readParameter(_ name: SQLToken, at offset: Int) {
        index += 1
        var column = ImageColumn(name.parameterName)
        if ["old", "new"].contains(name.text), peek(1)?.kind == .symbol(UInt8(ascii: ".")),
            let own = peek(2), own.isName
        {
            column = ImageColumn(own.parameterName, in: name.text == "old" ? .old : .new)
            index += 2
        }
        // `limit:n` must not become the word `limit$1`.
        if !text.isEmpty { text += " " }
        endText()
        pieces.append(.parameter(column))
        parameters.append((column, offset))
    }

    /// The text, without its parameters.
    var sql: String { pieces.map { if case .text(let text) = $0 { text } else { "" } }.joined() }

    /// Whether the colon stands in `[…]` right behind a value, as in `[low:high]`.
    private var isSlice: Bool {
        guard brackets.last?.text == "[", index > 0 else { return false }
        let last = tokens[index - 1]
        return last.isName || last.kind == .number || last.text == ")" || last.text == "]"
    }

    private func peek(_ ahead: Int = 0) -> SQLToken? {
        index + ahead < tokens.count ? tokens[index + ahead] : nil
    }

    private mutating func endText() {
        if !text.isEmpty { pieces.append(.text(text)) }
        text = ""
    }
}
