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
    /// The name of a channel.
    case channel
    /// No key at all.
    case text

    func check(_ template: Template) throws(TemplateError) {
        if isName, template.pieces.contains(where: \.hasLineBreak) {
            // A block scalar (|) keeps the line break at its end.
            let message = "a line break in a name; write it in quotes, or behind '|-' in place of '|'"
            throw TemplateError(message: message, offset: 0)
        }
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
        case .channel:
            if !template.isFixed {
                let message = "a channel can't have a {column}: after a TRUNCATE nobody would know whom to tell"
                throw TemplateError(message: message, offset: 0)
            }
        case .text:
            break
        }
    }

    /// Whether it names something in Redis. No such name has a line break in it on purpose.
    private var isName: Bool {
        switch self {
        case .key, .anyKey, .pattern, .channel: true
        case .url, .header, .text: false
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
        // Each column as a letter that is no digit of any kind: what it brings in is percent-encoded.
        let sample = template.pieces.reduce(into: [UInt8]()) { sample, piece in
            if case .text(let text) = piece { sample += text } else { sample.append(UInt8(ascii: "x")) }
        }
        let url: HTTPURL
        do {
            url = try HTTPURL(sample)
        } catch {
            throw TemplateError(message: error.message, offset: 0)
        }
        guard template.isFixed || template.leadingText.count > url.originLength else {
            let message = "a column has a part in the URL's host; it begins with http://host/ or https://host/"
            throw TemplateError(message: message, offset: 0)
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

extension Template.Piece {
    fileprivate var hasLineBreak: Bool {
        if case .text(let text) = self { text.contains { $0 == 0x0A || $0 == 0x0D } } else { false }
    }
}
