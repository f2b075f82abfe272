import Testing

@testable import Rules

/// Which keys are of one shape.
@Suite struct KeyFamilyTests {
    @Test(arguments: [
        ("user:42:cart", "user:{n}:cart"), ("session:3f2a9c1de0", "session:{hash}"), ("start-page", "start-page"),
        ("u:6f9619ff-8b86-d011-b42d-00c04fc964ff:x", "u:{uuid}:x"), ("item-42", "item-{n}"), ("v2:a", "v2:a"),
        ("day:2024-01-31", "day:{n}-{n}-{n}"), ("resp:/items/7?page=2&sort=name", "resp:/items/{n}?page={n}&sort=name"),
        ("{user:42}:cart", "{user:{n}}:cart"), ("t:01ARZ3NDEKTSV4RRFFQ69G5FAV", "t:{id}"), ("a::b:", "a::b:"),
        ("order-confirmation-mail", "order-confirmation-mail"), ("job_42_de", "job_{n}_de"), ("", ""), (":", ":"),
        ("42", "{n}"), ("note:one\ntwo:three", "note:*"), ("é:42", "é:{n}"), ("a*b:7", "a\\*b:{n}"),
        ("deadbeef:1", "deadbeef:{n}"), ("x:d41d8cd98f00b204e9800998ecf8427e", "x:{hash}"), ("k.7.y", "k.{n}.y"),
        ("s:eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "s:{id}"), (":a", ":a"), ("x-3f2a9c1de0-y", "x-{hash}-y"),
    ])
    func one(key: String, shape: String) {
        #expect(shapes([key]) == ["1 \(shape)"])
    }

    @Test func binary() {
        let keys: [[UInt8]] = [Array("b:".utf8) + [0xff, 0x00, 0x3a], [0x80], Array("é".utf8) + [0x3a, 0xc3]]
        var families = KeyFamilies()
        for key in keys { families.add(key) }
        #expect(families.families.map(\.shape).sorted() == ["*", "b:*"])
    }

    /// Words are values where there are many of them, and names where there are few.
    @Test func words() {
        let words = (0..<300).map { "w" + String($0, radix: 26, uppercase: false).filter(\.isLetter) + "\($0)x" }
        #expect(shapes(words.map { "user:by-email:\($0)@x.org" }) == ["300 user:by-email:*"])
        #expect(shapes(words.map { "tag:\($0):items" }) == ["300 tag:*:items"])
        #expect(shapes(["lang:de", "lang:en"]) == ["1 lang:de", "1 lang:en"])
        #expect(shapes(["home", "about", "imprint"] + words.map { "p:\($0)" }).first == "300 p:*")
        // Kinds of things keep their names beside each other, in front of what varies.
        let kinds = (0..<60).flatMap { kind in (0..<5).map { "kind-\(words[kind]):\($0)" } }
        #expect(shapes(kinds).count == 60)
        #expect(shapes((0..<60).flatMap { kind in (0..<5).map { "u:\($0):\(words[kind]):x" } }) == ["300 u:{n}:*:x"])
    }

    /// A few of the random ids look like something else.
    @Test func mixedIDs() {
        var random = SeededGenerator()
        var keys = (0..<2000).map { _ in "s:" + hex(8, &random) }
        keys += ["s:00000001", "s:acdaacfb", "s:deadbeef", "s:facade"]
        let found = shapes(keys)
        #expect(found.count <= 2, "seed \(random.seed): \(found)")
        #expect(found.first?.hasSuffix(" s:{hash}") ?? false || found == ["2004 s:*"], "seed \(random.seed): \(found)")
    }

    /// Whatever keys come: each is in a family whose pattern matches it, their counts add up, and their order
    /// means nothing.
    @Test func everyKeyIsInAFamily() async {
        var random = SeededGenerator()
        for _ in 0..<400 {
            // There are few threads, and others' deadlines.
            await Task.yield()
            let keys = Set((0..<Int.random(in: 1...60, using: &random)).map { _ in randomKey(&random) })
            var families = KeyFamilies()
            for key in keys { families.add(key) }
            let found = families.families
            #expect(found.reduce(0) { $0 + $1.count } == keys.count, "seed \(random.seed)")
            #expect(Set(found.map(\.shape)).count == found.count, "seed \(random.seed): \(found.map(\.shape))")
            for family in found {
                let glob = Glob(family.pattern)
                let matching = keys.filter { glob.matches(Key(bytes: $0)) }
                #expect(matching.count >= family.count, "seed \(random.seed): \(family)")
                #expect(keys.contains { $0.starts(with: family.example.bytes) }, "seed \(random.seed): \(family)")
                #expect(glob.matches(family.example) || family.example.bytes.isEmpty, "seed \(random.seed): \(family)")
            }
            let set = PatternSet(found.map(\.pattern))
            for key in keys where !key.isEmpty {
                #expect(set.matches(Key(bytes: key)), "seed \(random.seed): \(Key(bytes: key))")
            }
            var again = KeyFamilies()
            for key in keys.shuffled(using: &random) { again.add(key) }
            #expect(again.families == found, "seed \(random.seed)")
        }
    }

    /// A tree that must stay small: nothing is lost, and it does.
    @Test(arguments: [8, 1000]) func boundedMemory(nodeLimit: Int) {
        var random = SeededGenerator()
        var families = KeyFamilies(nodeLimit: nodeLimit)
        for number in 0..<12_000 {
            families.add(number % 2 == 0 ? randomKey(&random) : Array("user:\(number):cart".utf8))
        }
        let found = families.families
        #expect(found.reduce(0) { $0 + $1.count } == 12_000, "seed \(random.seed)")
        #expect(found.count <= nodeLimit / 4, "seed \(random.seed): \(found.count)")
        if nodeLimit == 1000 {
            #expect(found.first.map { $0.count >= 6_000 && $0.shape.hasPrefix("user:") } ?? false, "\(found)")
        }
    }

    private func shapes(_ keys: [String]) -> [String] {
        var families = KeyFamilies()
        for key in keys { families.add(Array(key.utf8)) }
        return families.families.map { "\($0.count) \($0.shape)" }
    }

    private func hex(_ count: Int, _ random: inout SeededGenerator) -> String {
        String((0..<count).map { _ in "0123456789abcdef".randomElement(using: &random) ?? "0" })
    }

    private func randomKey(_ random: inout SeededGenerator) -> [UInt8] {
        let parts = (0..<Int.random(in: 0...3, using: &random)).map { _ -> [UInt8] in
            switch Int.random(in: 0..<6, using: &random) {
            case 0: Array("\(Int.random(in: 0...2000, using: &random))".utf8)
            case 1: Array(hex(Int.random(in: 6...20, using: &random), &random).utf8)
            case 2:
                Array(
                    (["user", "session", "a-b", "x_1", "*", "[b]", "{", "\\"].randomElement(using: &random) ?? "").utf8)
            case 3: random.bytes("ab1-_.é\n\u{0}\u{ff}", upTo: 8)
            case 4: random.bytes("abcdefghijklmnop", upTo: 6)
            default: Array(repeating: UInt8(ascii: "z"), count: Int.random(in: 60...70, using: &random))
            }
        }
        return Array(parts.joined(separator: [(":/|?{".utf8.randomElement(using: &random) ?? 58)]))
    }
}
