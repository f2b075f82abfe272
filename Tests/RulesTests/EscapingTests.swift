import Testing

@testable import Rules

/// A value can be anything; it never becomes a part of the glob.
@Suite struct EscapingTests {
    private static let nasty = "ab*?[]^-\\{}|:\n é"

    /// A filled pattern without wildcards of its own matches the key that the same template makes, and no other.
    @Test func aFilledPatternMatchesOnlyItsOwnKeys() throws {
        var random = SeededGenerator()
        for _ in 0..<20_000 {
            let value = random.bytes(Self.nasty, upTo: 8)
            let other =
                Bool.random(using: &random) ? random.bytes(Self.nasty, upTo: 8) : mutated(value, &random)
            let pattern = try #require(try fill(pattern: "k:{a}:?", value))
            let glob = Glob(pattern)
            let end = Array(":x".utf8)
            #expect(glob.matches(key("k:", value, end)), "seed \(random.seed): \(pattern)")
            #expect(
                glob.matches(key("k:", other, end)) == (value == other), "seed \(random.seed): \(pattern)")
            #expect(pattern.literalPrefix == key("k:", value, Array(":".utf8)).bytes, "seed \(random.seed)")
        }
    }

    /// What any row may have made is matched by the pattern for any row.
    @Test func anyRowMatchesEveryFill() throws {
        var random = SeededGenerator()
        for source in ["k*:{a}[{b}]", "k?{a}{b}", "k\\{a}"] {
            let template = KeyTemplate(key: try Template(source))
            let glob = Glob(template.anyRow)
            for _ in 0..<2000 {
                let row = Image([random.bytes(Self.nasty, upTo: 6), random.bytes(Self.nasty, upTo: 6)])
                let fill = try #require(Fill(template, index: { $0.name == "a" ? 0 : 1 }))
                let bytes = try #require(fill(RowPair(old: nil, new: row), either: row))
                #expect(glob.matches(Key(bytes: bytes)), "seed \(random.seed): \(Key(bytes: bytes))")
            }
        }
    }

    @Test func escapeAndBack() {
        var random = SeededGenerator()
        for _ in 0..<5000 {
            let bytes = random.bytes(Self.nasty, upTo: 20)
            #expect(
                Pattern(bytes: Pattern.escape(bytes)).exactKey == Key(bytes: bytes), "seed \(random.seed)")
        }
    }

    private func fill(pattern source: String, _ value: [UInt8]) throws -> Pattern? {
        let fill = Fill(KeyTemplate(pattern: try Template(source))) { _ in 0 }
        let image = Image([value])
        return fill?(RowPair(old: nil, new: image), either: image).map(Pattern.init(bytes:))
    }

    private func key(_ start: String, _ value: [UInt8], _ end: [UInt8]) -> Key {
        Key(bytes: Array(start.utf8) + value + end)
    }

    private func mutated(_ value: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        guard let index = value.indices.randomElement(using: &random) else { return [0] }
        var other = value
        other[index] = Array(Self.nasty.utf8).randomElement(using: &random) ?? 0
        return other
    }
}
