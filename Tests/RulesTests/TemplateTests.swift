import Testing

@testable import Rules

@Suite struct TemplateTests {
    @Test func pieces() throws {
        let template = try Template("a{{{id}}}:{old.e|lower|default:x:y}{new.f}")
        #expect(template.placeholders.map(\.description) == ["id", "old.e|lower|default:x:y", "new.f"])
        #expect(
            template.placeholders.map(\.column) == [
                ImageColumn("id"), ImageColumn("e", in: .old), ImageColumn("f", in: .new),
            ])
        #expect(template.placeholders.map(\.location.column) == [5, 12, 37])
        #expect(fill(template, ["id": "7", "e": "E", "f": "g"]) == "a{7}:eg")
    }

    @Test(arguments: [
        ("{a}", nil), ("k{a}", "k"), ("{a|default:none}", "none"), ("{a|default:}", ""),
        ("{a|lower|default:None}", "None"), ("{a|default:None|lower}", "none"),
        ("{a|default:x|default:y}", "x"),
    ])
    func nulls(source: String, expected: String?) throws {
        let template = try Template(source)
        #expect(fill(template, ["a": nil]) == (source == "k{a}" ? nil : expected))
        #expect(fill(template, ["a": ""]) == (source == "k{a}" ? "k" : ""))
    }

    @Test(arguments: [
        ("lower", "ÀÉß İX", "àéß i\u{307}x"), ("upper", "àéß x", "ÀÉSS X"),
        ("urlencode", "aZ09-._~ /?é%", "aZ09-._~%20%2F%3F%C3%A9%25"),
        ("lower|md5", "ABC", "900150983cd24fb0d6963f7d28e17f72"),
    ])
    func filters(filter: String, value: String, expected: String) throws {
        #expect(fill(try Template("{a|\(filter)}"), ["a": value]) == expected)
    }

    /// What is not UTF-8 is not repaired: that would be another key than the application's.
    @Test func filtersKeepForeignBytes() {
        #expect(Filter.lower.apply([0x41, 0xFF, 0xC3]) == [0x61, 0xFF, 0xC3])
        #expect(Filter.upper.apply([0x61, 0xFF]) == [0x41, 0xFF])
        #expect(Filter.urlencode.apply([0xFF]) == Array("%FF".utf8))
    }

    /// A combining mark makes one Swift character of the syntax before it; templates are read by bytes.
    @Test func combiningMarksAreNotSyntax() throws {
        let template = try Template("k\u{301}{a|default:\u{301}b}\u{301}{old.\u{301}c}")
        #expect(template.placeholders.map(\.column.name) == ["a", "\u{301}c"])
        #expect(fill(template, ["a": nil, "\u{301}c": "d"]) == "k\u{301}\u{301}b\u{301}d")
    }

    @Test(arguments: [
        ("k:{id}", "k:*", false), ("k*:{id}", "k\\*:*", false), ("k:{a}{b}:{c}", "k:*:*", false),
        ("k:{a}*x", "k:*x", true), ("k:*{a}", "k:*", true), ("k:\\*{a}?", "k:\\**?", true),
        ("k:{a}**{b}*", "k:*", true), ("k:[*]{a}", "k:[*]*", true), ("k:\\\\*{a}", "k:\\\\*", true),
        ("k:{a}\\*", "k:*\\*", true), ("k\\*", "k\\*", true), ("k\\[{a}", "k\\[*", true),
    ])
    func anyRow(source: String, pattern: String, isPattern: Bool) throws {
        let template = try Template(source)
        let deletion = isPattern ? KeyTemplate(pattern: template) : KeyTemplate(key: template)
        #expect(deletion.anyRow == Pattern(pattern))
    }

    /// What a template makes of a row as a key.
    private func fill(_ template: Template, _ row: [String: String?]) -> String? {
        let names = row.keys.sorted()
        let image = Image(names.map { row[$0].flatMap { $0 } })
        let fill = Fill(KeyTemplate(key: template)) { names.firstIndex(of: $0.name) }
        return fill?(RowPair(old: image, new: image), either: image).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}
