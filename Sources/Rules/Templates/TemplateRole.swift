/// What a template is for, and so what it must be.
enum TemplateRole {
    /// A key of a row: it has a column.
    case key
    /// A key that may be the same for all rows.
    case anyKey
    /// A glob over keys.
    case pattern
    /// The URL of a request: its host is literal.
    case url
    /// The value of a header field.
    case header
    /// No key at all.
    case text

    func check(_ template: Template) throws(TemplateError) {
        switch self {
        case .key:
            if template.isFixed {
                let message = "a key without a {column}: '\(template)'; a fixed key is written under patterns"
                throw TemplateError(message: message, offset: 0)
            }
            try checkLeadingText(template)
        case .anyKey:
            try checkLeadingText(template)
        case .pattern:
            try checkGlob(template)
        case .url:
            try checkOrigin(template)
        case .header:
            for case .text(let text) in template.pieces where !text.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
                throw TemplateError(message: "a header field can't have a line end or other control", offset: 0)
            }
        case .text:
            break
        }
    }

    /// When any row may have changed, each column becomes a `*`.
    private func checkLeadingText(_ template: Template) throws(TemplateError) {
        if template.leadingText.isEmpty {
            let message =
                "'\(template)' begins with a column: a TRUNCATE would sweep every key; begin it with text"
            throw TemplateError(message: message, offset: 0)
        }
    }

    /// Whoever may write a row must not choose whom the worker talks to.
    private func checkOrigin(_ template: Template) throws(TemplateError) {
        let text = String(decoding: template.leadingText, as: UTF8.self)
        let scheme = ["http://", "https://"].first { text.lowercased().hasPrefix($0) }
        let rest = text.utf8.dropFirst(scheme?.utf8.count ?? 0)
        let authority = rest.prefix { !"/?#".utf8.contains($0) }
        if scheme == nil || authority.isEmpty || template.pieces.count > 1 && authority.count == rest.count {
            let message = "a URL begins with http://host/ or https://host/, and no column has a part in that"
            throw TemplateError(message: message, offset: 0)
        }
        if authority.contains(UInt8(ascii: "@")) {
            throw TemplateError(message: "a URL with a user: send a header such as Authorization", offset: 0)
        }
        let path = rest.dropFirst(authority.count)
        let literal = template.pieces.dropFirst().reduce(into: Array(path)) { literal, piece in
            if case .text(let text) = piece { literal += text } else { literal.append(UInt8(ascii: "x")) }
        }
        if !literal.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"[]#\\^`{|}\"<>".utf8.contains($0) })
            || !text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        {
            let message = "a URL has no spaces, fragment, brackets or other than ASCII: write %XX"
            throw TemplateError(message: message, offset: 0)
        }
        for (index, byte) in literal.enumerated() where byte == UInt8(ascii: "%") {
            let digits = literal[(index + 1)...].prefix(2)
            guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
                throw TemplateError(message: "a '%' in a URL is followed by two hexadecimal digits", offset: 0)
            }
        }
    }

    private func checkGlob(_ template: Template) throws(TemplateError) {
        for case .text(let text) in template.pieces where GlobLexer(text).isUnterminated {
            let message =
                text.last == UInt8(ascii: "\\")
                ? "the backslash at the end of a text needs something to escape; \\\\ is a backslash"
                : "the '[' is never closed before a column or the end; \\[ is a bracket"
            throw TemplateError(message: message, offset: 0)
        }
        if Pattern(bytes: template.leadingText).literalPrefix.isEmpty {
            let message =
                "the pattern '\(template)' could match every key; begin it with text that is no wildcard"
            throw TemplateError(message: message, offset: 0)
        }
    }
}
