import Testing

@testable import Rules

/// Which keys no rule can touch, and which templates touch none.
@Suite struct KeyCoverageTests {
    private static let rules = """
        version: 1
        rules:
          - name: user
            table: users
            delete: {keys: ["user:{id}", "by-email:{email|lower}"], patterns: ['resp:/users/{id}\\?*', start-page]}
          - name: list
            table: users
            rewarm: [{key: "list:{id}", sql: "select 1", ttl: 1h}]
        """

    @Test func touched() throws {
        var coverage = KeyCoverage(try RuleSet.parse(Self.rules).rules)
        for key in ["user:1", "resp:/users/1?a", "resp:/users/1", "list:7", "cart:1", "cart:2", "unstale:fence:user:1"]
        {
            coverage.add(Array(key.utf8))
        }
        #expect(coverage.count == 6 && coverage.touched == 3 && coverage.own == 1)
        #expect(coverage.families.map { "\($0.count) \($0.shape)" } == ["2 cart:{n}", "1 resp:/users/{n}"])
        #expect(coverage.families.first?.example == Key("cart:1"))
        #expect(
            coverage.unmatched.map { "\($0.rule.name.value) \($0.template)" } == [
                "user by-email:{email|lower}", "user start-page",
            ])
    }

    @Test func nothing() throws {
        let coverage = KeyCoverage(try RuleSet.parse(Self.rules).rules)
        #expect(coverage.count == 0 && coverage.families.isEmpty && coverage.unmatched.count == 5)
        var without = KeyCoverage([])
        without.add(Array("a".utf8))
        #expect(without.count == 1 && without.touched == 0 && without.unmatched.isEmpty)
    }

    /// SCAN may return a key more than once.
    @Test func repeatedKeys() throws {
        var coverage = KeyCoverage(try RuleSet.parse(Self.rules).rules, memory: 4)
        for key in ["cart:1", "cart:1", "user:1", "user:1", "unstale:load:a", "unstale:load:a"] {
            coverage.add(Array(key.utf8))
        }
        #expect(coverage.count == 2 && coverage.touched == 1 && coverage.own == 1 && coverage.isExact)
        // Beyond what is remembered, repeated keys count as often as they come; the others still don't.
        for key in ["cart:2", "cart:3", "cart:3", "cart:1"] { coverage.add(Array(key.utf8)) }
        #expect(coverage.count == 5 && !coverage.isExact)
        #expect(coverage.families.map(\.count) == [4])
    }

    /// The same as asking each pattern about each key.
    @Test func sameAsItsPatterns() throws {
        var random = SeededGenerator()
        for _ in 0..<400 {
            let texts = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                "k" + String(decoding: random.bytes("ab:", upTo: 4), as: UTF8.self) + "{id}"
                    + String(decoding: random.bytes("ab:*", upTo: 3), as: UTF8.self)
            }
            let templates = Set(texts).sorted()
            let list = templates.map { "'\($0)'" }.joined(separator: ", ")
            let rule = try rule("table: t\ndelete: {keys: [\(list)]}")
            let keys = Set((0..<20).map { _ in [UInt8(ascii: "k")] + random.bytes("ab:*", upTo: 6) })
            var coverage = KeyCoverage([rule])
            for key in keys { coverage.add(key) }
            let globs = templates.map { Glob(Pattern($0.replacing("*", with: "\\*").replacing("{id}", with: "*"))) }
            let touched = keys.filter { key in globs.contains { $0.matches(Key(bytes: key)) } }
            let unmatched = zip(templates, globs).filter { _, glob in !keys.contains { glob.matches(Key(bytes: $0)) } }
            #expect(
                coverage.touched == touched.count, "seed \(random.seed): \(templates) \(keys.map { Key(bytes: $0) })")
            #expect(coverage.unmatched.map(\.template.source) == unmatched.map(\.0), "seed \(random.seed)")
        }
    }
}
