/// One of a rule's keys or patterns, sorted out into what it deletes by.
struct DeletionTemplate {
    /// The template as the rule has it.
    let template: Template
    /// Its parts. Unless this is a glob, the text of a pattern is unescaped.
    let pieces: [Template.Piece]
    /// Whether it makes patterns. A pattern without any wildcard makes keys, which are found without a scan.
    let isGlob: Bool

    /// What makes entries of a rule stale: what it deletes, its keys first, and then what it loads anew.
    static func all(of rule: Rule) -> [DeletionTemplate] {
        deleted(by: rule) + rule.rewarm.map { DeletionTemplate(key: $0.key) }
    }

    /// What a rule deletes, its keys first.
    static func deleted(by rule: Rule) -> [DeletionTemplate] {
        rule.delete.keys.map(DeletionTemplate.init(key:))
            + rule.delete.patterns.map(DeletionTemplate.init(pattern:))
    }

    /// The columns that it is filled from.
    var columns: [ImageColumn] { template.placeholders.map(\.column) }

    /// What every key that it makes or matches begins with.
    var literalPrefix: [UInt8] {
        isGlob ? Pattern(bytes: template.leadingText).literalPrefix : leadingText
    }

    private var leadingText: [UInt8] { if case .text(let text) = pieces.first { text } else { [] } }

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
