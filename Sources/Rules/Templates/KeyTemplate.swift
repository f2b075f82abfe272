/// One of a rule's keys or patterns, sorted out into what is done by it.
struct KeyTemplate {
    /// The template as the rule has it.
    let template: Template
    /// What is done with what it makes.
    let purpose: Purpose
    /// Its parts. Unless this is a glob, the text of a pattern is unescaped.
    let pieces: [Template.Piece]
    /// Whether it makes patterns. A pattern without any wildcard makes keys, which are found without a scan.
    let isGlob: Bool

    /// All keys that a rule does something with: those that it deletes first, and what it loads anew last.
    static func all(of rule: Rule) -> [KeyTemplate] {
        deleted(by: rule) + acted(on: rule) + rule.rewarm.map { KeyTemplate(key: $0.key) }
    }

    /// What a changed row fills: all but what is loaded anew, which takes more than a key.
    static func filled(by rule: Rule) -> [KeyTemplate] {
        deleted(by: rule) + acted(on: rule)
            + [rule.publish?.message].compactMap { $0 }.map { KeyTemplate(key: $0, purpose: .message) }
    }

    /// What a rule deletes, its keys first.
    private static func deleted(by rule: Rule) -> [KeyTemplate] {
        rule.delete.keys.map { KeyTemplate(key: $0) } + rule.delete.patterns.map(KeyTemplate.init(pattern:))
    }

    private static func acted(on rule: Rule) -> [KeyTemplate] {
        let expired = rule.expire.map { expire in
            expire.keys.map { KeyTemplate(key: $0, purpose: .action(.expire(expire.after))) }
        }
        return rule.delete.tags.map { KeyTemplate(key: $0, purpose: .action(.emptyTag)) } + (expired ?? [])
            + rule.bump.map { KeyTemplate(key: $0, purpose: .action(.bump)) }
    }

    /// The columns that it is filled from.
    var columns: [ImageColumn] { template.placeholders.map(\.column) }

    /// What every key that it makes or matches begins with.
    var literalPrefix: [UInt8] {
        isGlob ? Pattern(bytes: template.leadingText).literalPrefix : leadingText
    }

    private var leadingText: [UInt8] { if case .text(let text) = pieces.first { text } else { [] } }

    init(key template: Template, purpose: Purpose = .delete) {
        self.template = template
        self.purpose = purpose
        pieces = template.pieces
        isGlob = false
    }

    init(pattern template: Template) {
        let unescaped = template.pieces.map { piece -> Template.Piece? in
            guard case .text(let text) = piece else { return piece }
            return Pattern(bytes: text).exactKey.map { .text($0.bytes) }
        }
        let literal = unescaped.compactMap { $0 }
        self.template = template
        purpose = .delete
        isGlob = literal.count < unescaped.count
        pieces = isGlob ? template.pieces : literal
    }

    /// What matches every key that the template can make: each column is a `*`.
    var anyRow: Pattern {
        var glob: [UInt8] = []
        var endsInStar = false
        for piece in pieces {
            switch piece {
            case .text(let text):
                let text = isGlob ? text : Pattern.escape(text)
                glob += endsInStar ? text.drop { $0 == UInt8(ascii: "*") } : text[...]
                // Of nothing but stars, none is left over behind a star: it still ends in one.
                endsInStar = GlobLexer(text).tokens.last == .star
            case .placeholder:
                if !endsInStar { glob.append(UInt8(ascii: "*")) }
                endsInStar = true
            }
        }
        return Pattern(bytes: glob)
    }

    /// The text for a row of which nothing is known: each column is a `*`.
    var anyRowText: [UInt8] {
        pieces.flatMap { piece in
            if case .text(let text) = piece { text } else { [UInt8(ascii: "*")] }
        }
    }
}
