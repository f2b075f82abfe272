import Testing

@testable import Rules

/// A source of random numbers that starts at a seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    /// Tell it in every expectation: put it in place of the default to see the failure again.
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64 = .random(in: 0 ... .max)) {
        self.seed = seed
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// Up to `count` bytes from an alphabet.
    mutating func bytes(_ alphabet: String, upTo count: Int) -> [UInt8] {
        let alphabet = Array(alphabet.utf8)
        return (0..<Int.random(in: 0...count, using: &self)).map { _ in
            alphabet.randomElement(using: &self) ?? 0
        }
    }
}

/// The lines that a rules file is refused with.
func diagnostics(_ yaml: String) -> [String] {
    diagnostics(Array(yaml.utf8))
}

/// The lines that a rules file is refused with.
func diagnostics(_ bytes: [UInt8]) -> [String] {
    let parsed = RulesFileParser.parse(SourceText(file: "r.yaml", bytes: bytes))
    do {
        _ = try RuleSet([parsed.file], diagnostics: parsed.diagnostics)
        return []
    } catch {
        return error.diagnostics.map(\.description)
    }
}

/// The only rule of a file that has these lines in it.
func rule(_ lines: String) throws -> Rule {
    let body = lines.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
    return try #require(try RuleSet.parse("version: 1\nrules:\n  - name: r\n\(body)\n").rules.first)
}

extension Template {
    /// The template `source`.
    init(_ source: String) throws {
        self = try TemplateParser.parse(source) { FilePosition(file: "t", line: 1, column: $0 + 1) }
    }
}
