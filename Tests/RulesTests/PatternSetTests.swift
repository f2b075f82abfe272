import Testing

@testable import Rules

@Suite struct PatternSetTests {
    @Test func tellsWhichPattern() {
        let set = PatternSet(["a:*:x", "a:1:*", "b*", "a:1:y?", "c"].map { Pattern($0) })
        #expect(set.firstMatch(Key("a:2:x").bytes.span) == 0)
        #expect(set.firstMatch(Key("a:1:z").bytes.span) == 1)
        #expect(set.firstMatch(Key("b").bytes.span) == 2)
        #expect(set.firstMatch(Key("c").bytes.span) == 4)
        #expect(set.firstMatch(Key("cc").bytes.span) == nil)
        #expect(set.firstMatch(Key("").bytes.span) == nil)
        #expect(!set.matches(Key("a:2:y")))
    }

    @Test func nothingMatchesNoPatterns() {
        let set = PatternSet([])
        #expect(!set.matches(Key("a")))
        #expect(!set.matches(Key("")))
        #expect(set.commonPrefix == [])
    }

    @Test(arguments: [
        (["resp:/a*", "resp:/b*"], "resp:/", "resp:/*"), (["a*", "b*"], "", "*"), (["ab*", "a*"], "a", "a*"),
        (["a\\*b*", "a\\*c*"], "a*", "a\\**"), (["a:?x"], "a:", "a:?x"), (["ab", "ab"], "ab", "ab*"),
    ])
    func commonPrefix(patterns: [String], prefix: String, scan: String) {
        let set = PatternSet(patterns.map { Pattern($0) })
        #expect(set.commonPrefix == Array(prefix.utf8))
        #expect(set.scanPattern == Pattern(scan))
    }

    /// A set is its patterns, one by one.
    @Test func sameAsItsGlobs() {
        var random = SeededGenerator()
        for _ in 0..<3000 {
            let patterns = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                Pattern(bytes: random.bytes("aab*?[]\\", upTo: 6))
            }
            let set = PatternSet(patterns)
            let scan = Glob(set.scanPattern)
            for _ in 0..<10 {
                let key = Key(bytes: random.bytes("aab]\\", upTo: 6))
                let matching = patterns.indices.filter { Glob(patterns[$0]).matches(key) }
                let found = set.firstMatch(key.bytes.span)
                #expect(set.matches(key) == !matching.isEmpty, "seed \(random.seed): \(patterns) \(key)")
                #expect(found.map(matching.contains) ?? true, "seed \(random.seed): \(patterns) \(key)")
                // The empty key is Redis' own exception: its SCAN shortcuts a lone star.
                if !matching.isEmpty, !key.bytes.isEmpty {
                    #expect(scan.matches(key), "seed \(random.seed): \(patterns) \(key)")
                }
            }
        }
    }
}
