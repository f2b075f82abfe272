import Testing

@testable import Rules

/// What is refused before it is looked at as rules.
@Suite struct YAMLReaderTests {
    @Test(arguments: [
        ("a: &x 1", "r.yaml:1:4: error: the anchor '&x': anchors and aliases are not allowed"),
        ("&x a: 1", "r.yaml:1:1: error: the anchor '&x': anchors and aliases are not allowed"),
        ("a: &x []\nb: *x", "r.yaml:1:4: error: the anchor '&x': anchors and aliases are not allowed"),
        ("a: &x {}", "r.yaml:1:4: error: the anchor '&x': anchors and aliases are not allowed"),
        ("a: *x", "r.yaml:1:4: error: not YAML: found undefined alias"),
        (
            "a: !!python/object:os.system []",
            "r.yaml:1:4: error: the tag 'tag:yaml.org,2002:python/object:os.system': tags are not allowed"
        ),
        ("a: !x 1", "r.yaml:1:4: error: the tag '!x': tags are not allowed"),
        ("a: !!int 1", "r.yaml:1:4: error: the tag 'tag:yaml.org,2002:int': tags are not allowed"),
        ("a: !x {b: 1}", "r.yaml:1:4: error: the tag '!x': tags are not allowed"),
        ("a: 1\nb: 2\na: 3", "r.yaml:1:1: error: 'a' stands twice in this mapping"),
        ("? [a]\n: 1", "r.yaml:1:3: error: a key must be text, not a list"),
        ("? {a: 1}\n: 1", "r.yaml:1:3: error: a key must be text, not a mapping"),
        ("--- a\n--- b", "r.yaml:2:5: error: a rules file is one YAML document; this begins a second"),
        (
            "a: [1, 2\n",
            "r.yaml:2:1: error: not YAML: while parsing a flow sequence from 1:4: "
                + "did not find expected ',' or ']'"
        ),
        (
            "a: 1\n\tb: 2",
            "r.yaml:2:1: error: not YAML: while scanning a plain scalar from 1:4: "
                + "found a tab character that violates indentation"
        ),
        (
            "a: 'b",
            "r.yaml:1:6: error: not YAML: while scanning a quoted scalar from 1:4: "
                + "found unexpected end of stream"
        ),
        ("a: b\nc: \u{1}", "r.yaml:2:4: error: not YAML: control characters are not allowed"),
    ])
    func refused(yaml: String, line: String) {
        #expect(read(yaml).first == line)
    }

    @Test func notUTF8() {
        #expect(diagnostics(Array("a: é\nb: ".utf8) + [0xFF]) == ["r.yaml:2:4: error: the file is not UTF-8"])
        #expect(diagnostics([0xC3]) == ["r.yaml:1:1: error: the file is not UTF-8"])
    }

    @Test func tooLarge() {
        let comment = [UInt8](repeating: UInt8(ascii: "#"), count: YAMLReader.maximumSize + 1)
        #expect(diagnostics(comment) == ["r.yaml:1:1: error: the file is larger than 1 MiB"])
        #expect(diagnostics(comment.dropLast()) == ["r.yaml:1:1: error: the file is empty"])
    }

    @Test func depth() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(read(nested(16)) == [])
        #expect(read(nested(17)) == ["r.yaml:1:17: error: nested deeper than 16 levels"])
        #expect(read(nested(900)) == ["r.yaml:1:17: error: nested deeper than 16 levels"])
    }

    /// libyaml gives up at a depth that the stack of a thread holds; it must not be slow about it either.
    @Test(arguments: ["[", "{", "- ", "? ", "[a: ", "{a: "]) func bottomless(opening: String) throws {
        let text = String(repeating: opening, count: 1_000_000 / opening.utf8.count)
        #expect(read(text).count == 1)
    }

    /// The expansion of these aliases would not fit into memory.
    @Test func billionLaughs() {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            let alias = "*a\(level - 1)"
            yaml += "a\(level): &a\(level) [\(Array(repeating: alias, count: 9).joined(separator: ", "))]\n"
        }
        let line = "r.yaml:2:10: error: an alias: anchors and aliases are not allowed"
        #expect(read(yaml).first == line)
        #expect(read(yaml + "? *a20\n: 1\n").first == line)
    }

    @Test func nothingCrashes() {
        var random = SeededGenerator()
        let alphabet = "abc:-?*&!|>'\"%@`{}[],# \n\n  \t\\0x\r"
        for _ in 0..<3000 {
            let bytes = random.bytes(alphabet, upTo: 60)
            _ = diagnostics(bytes)
        }
        for _ in 0..<1000 {
            let bytes = (0..<40).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = diagnostics(bytes)
        }
    }

    /// A valid file with one byte changed is read, or refused with a place in it.
    @Test func mutations() throws {
        var random = SeededGenerator()
        let original = Array(
            """
            version: 1
            rules:
              - name: user
                table: users
                where: new.a = 'x' and (old.b)::int > 1
                lookup: |
                  select a from b
                  where c = :d
                delete: {keys: ["user:{id|default:x}"], patterns: ['a\\?{b}[a-z]*']}
            """.utf8)
        for _ in 0..<5000 {
            var bytes = original
            let index = Int.random(in: bytes.indices, using: &random)
            bytes[index] = UInt8.random(in: 0...255, using: &random)
            for line in diagnostics(bytes) {
                #expect(line.hasPrefix("r.yaml:"), "seed \(random.seed), byte \(index)")
            }
        }
    }

    @Test func positionsInsideOfText() {
        let source = SourceText(
            file: "r.yaml", bytes: Array("a: |\n    x\n\n    é:y\nb: >\n    folded\n".utf8))
        var reader = YAMLReader(source)
        guard case .mapping(let pairs) = reader.read()?.content,
            case .scalar(let literal) = pairs[0].value.content,
            case .scalar(let folded) = pairs[1].value.content
        else { return #expect(Bool(false)) }
        #expect(literal.location(at: 0).description == "r.yaml:1:4")
        #expect(literal.location(at: 3).description == "r.yaml:4:5")
        #expect(literal.location(at: 6).description == "r.yaml:4:7")
        #expect(folded.location(at: 3).description == "r.yaml:5:4")
    }

    /// What the reader alone says of a text.
    private func read(_ yaml: String) -> [String] {
        var reader = YAMLReader(SourceText(file: "r.yaml", bytes: Array(yaml.utf8)))
        _ = reader.read()
        return reader.diagnostics.map(\.description)
    }
}
