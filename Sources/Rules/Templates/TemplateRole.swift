/// What a template is for, and so what it must be.
enum TemplateRole {
    /// A key of a row: it has a column.
    case key
    /// A key that may be the same for all rows.
    case anyKey
    /// A glob over keys.
    case pattern
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
