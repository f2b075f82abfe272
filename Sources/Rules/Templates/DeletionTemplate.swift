/// One of a rule's `keys` or `patterns`, sorted out into what it deletes by.
struct DeletionTemplate {
    /// The template as the rule has it.
    let template: Template
    /// Its parts. Unless this is a glob, the text of a pattern is unescaped.
    let pieces: [Template.Piece]
    /// Whether it makes patterns. A pattern without any wildcard makes keys, which are found without a scan.
    let isGlob: Bool

    /// What a rule deletes, its keys first.
    static func all(of rule: Rule) -> [DeletionTemplate] {
        rule.delete.keys.map(DeletionTemplate.init(key:))
            + rule.delete.patterns.map(DeletionTemplate.init(pattern:))
    }

    init(key template: Template) {
        self.template = template
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
}
