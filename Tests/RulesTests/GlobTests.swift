import Testing

@testable import Rules

@Suite struct GlobTests {
    @Test(arguments: [
        ("", ""), ("a", "a"), ("*", "abc"), ("a*", "a"), ("a**", "a"), ("a*c", "abbc"), ("a?c", "abc"),
        ("[abc]", "b"), ("[a-c]", "b"), ("[c-a]", "b"), ("[^a-c]", "d"), ("[^]", "x"), ("\\*", "*"),
        ("[\\]]", "]"), ("[a-]", "]"), ("[a-]", "^"), ("[abc", "c"), ("[^", "x"), ("a\\", "a\\"),
        ("[a\\", "\\"),
        ("[\\a-z]", "-"), ("*[^x]*", "ax"), ("*é?", "éa"), ("??", "é"), ("[\u{0}]", "\u{0}"),
        ("*a*b*c", "xaxbxcxc"),
        ("\n*", "\n\n"), ("*", ""),
    ])
    func matching(pattern: String, key: String) {
        #expect(Glob(Pattern(pattern)).matches(Key(key)))
    }

    @Test(arguments: [
        ("", "a"), ("a", ""), ("a", "b"), ("a", "ab"), ("?", ""), ("a?", "a"), ("[abc]", "d"), ("[]", "]"),
        ("[]a]", "a"), ("[", "["), ("[^a]", "a"), ("\\*", "a"), ("*b", "abc"), ("a*?", "a"), ("[a-", "b"),
        ("?", "é"), ("A", "a"), ("**", ""),
    ])
    func notMatching(pattern: String, key: String) {
        #expect(!Glob(Pattern(pattern)).matches(Key(key)))
    }

    /// Random globs against random keys, judged by a plain recursive reading of Redis' source.
    @Test func sameAsTheReference() {
        var random = SeededGenerator()
        var matches = 0
        for _ in 0..<100_000 {
            let glob = random.bytes("aab*?[]^-\\\u{80}", upTo: 9)
            let key = random.bytes("aab-]\\^\u{80}", upTo: 7)
            let expected = glob == [UInt8(ascii: "*")] || referenceMatch(glob[...], key[...])
            let found = Glob(Pattern(bytes: glob)).matches(Key(bytes: key))
            if found { matches += 1 }
            #expect(found == expected, "seed \(random.seed): \(Pattern(bytes: glob)) \(Key(bytes: key))")
        }
        #expect(matches > 1000)
    }

    /// Redis needs time that is exponential in the number of stars for this.
    @Test(.timeLimit(.minutes(1))) func manyStars() {
        let glob = Glob(Pattern(String(repeating: "a*", count: 200) + "b"))
        #expect(!glob.matches(Key(String(repeating: "a", count: 20_000))))
    }

    @Test(arguments: [
        ("", ""), ("a:*", "a:"), ("a\\*b?", "a*b"), ("a[b]", "a"), ("*a", ""), ("ab", "ab"), ("a\\", "a\\"),
    ])
    func literalPrefix(pattern: String, prefix: String) {
        #expect(Pattern(pattern).literalPrefix == Array(prefix.utf8))
    }

    @Test func exactness() {
        #expect(Pattern("a\\*\\?").exactKey == Key("a*?"))
        #expect(Pattern("a*").exactKey == nil)
        #expect(Pattern("a[b]").exactKey == nil)
        #expect(Pattern("ab").isExact)
        #expect(!Pattern("a?").isExact)
    }
}

/// `stringmatchlen` of Redis 7, without its protection against slow patterns.
private func referenceMatch(_ glob: ArraySlice<UInt8>, _ key: ArraySlice<UInt8>) -> Bool {
    var (glob, key) = (glob, key)
    while let first = glob.first, let byte = key.first {
        switch first {
        case UInt8(ascii: "*"):
            if glob.count == 1 { return true }
            let rest = glob.dropFirst()
            if rest.first == UInt8(ascii: "*") {
                glob = rest
                continue
            }
            return key.indices.contains { referenceMatch(rest, key[$0...]) }
        case UInt8(ascii: "["):
            let (matches, rest) = referenceSet(glob.dropFirst(), byte)
            if !matches { return false }
            glob = rest
        case UInt8(ascii: "\\") where glob.count >= 2:
            if glob[glob.startIndex + 1] != byte { return false }
            glob = glob.dropFirst(2)
        case UInt8(ascii: "?"):
            glob = glob.dropFirst()
        default:
            if first != byte { return false }
            glob = glob.dropFirst()
        }
        key = key.dropFirst()
        if key.isEmpty {
            glob = glob.drop { $0 == UInt8(ascii: "*") }
            break
        }
    }
    return glob.isEmpty && key.isEmpty
}

/// What follows a `[`: whether the byte is in the set, and what is left behind it.
private func referenceSet(_ glob: ArraySlice<UInt8>, _ byte: UInt8) -> (Bool, ArraySlice<UInt8>) {
    var glob = glob
    let isInverted = glob.first == UInt8(ascii: "^")
    if isInverted { glob = glob.dropFirst() }
    var matches = false
    while let first = glob.first {
        let at = glob.startIndex
        if first == UInt8(ascii: "\\"), glob.count >= 2 {
            if glob[at + 1] == byte { matches = true }
            glob = glob.dropFirst(2)
        } else if first == UInt8(ascii: "]") {
            return (matches != isInverted, glob.dropFirst())
        } else if glob.count >= 3, glob[at + 1] == UInt8(ascii: "-") {
            let ends = [Int8(bitPattern: first), Int8(bitPattern: glob[at + 2])].sorted()
            if ends[0] <= Int8(bitPattern: byte), Int8(bitPattern: byte) <= ends[1] { matches = true }
            glob = glob.dropFirst(3)
        } else {
            if first == byte { matches = true }
            glob = glob.dropFirst()
        }
    }
    return (matches != isInverted, glob)
}
