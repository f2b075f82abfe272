import Redis
import TestSupport
import Testing

@testable import Delivery

@Suite struct KeyPagesTests {
    /// Pages are a set of keys, and a set of those that have the mark.
    @Test func sameAsASet() {
        var random = SeededGenerator()
        for round in 0..<20 {
            var pages = KeyPages()
            var keys: Set<[UInt8]> = []
            var heard: Set<[UInt8]> = []
            let longest = [4, 30, 900, 5000][round % 4]
            let grows = Int.random(in: 40...90, using: &random)
            for _ in 0..<500 {
                let tail = [UInt8](repeating: 120, count: .random(in: 0...longest, using: &random))
                let key = random.bytes("ab:1\0", upTo: 3) + tail
                if Int.random(in: 0..<100, using: &random) < grows {
                    let isHeard = Bool.random(using: &random)
                    pages.insert(key.span, isHeard: isHeard)
                    keys.insert(key)
                    if isHeard { heard.insert(key) }
                } else {
                    let key = Bool.random(using: &random) ? key : keys.randomElement(using: &random) ?? key
                    pages.removeUnlessHeard(key.span)
                    if !heard.contains(key) { keys.remove(key) }
                }
            }
            #expect(pages.count == keys.count && pages.heardCount == heard.count)
            expect(pages, has: keys, using: &random)
            #expect(Set(takeAll(from: &pages, limit: 7)) == heard)
            #expect(pages.heardCount == 0 && takeAll(from: &pages, limit: 7).isEmpty)
            for key in keys { pages.removeUnlessHeard(key.span) }
            #expect(pages.count == 0 && all(of: [], in: pages, limit: 9).isEmpty)
        }
    }

    @Test func givesKeysInOrderFromAKeyOn() {
        var pages = KeyPages()
        for key in ["b", "a:2", "a:", "a:1", "a", "a:10", "a;", ""] {
            pages.insert(Array(key.utf8).span, isHeard: false)
        }
        func keys(_ prefix: String, from start: String, limit: Int) -> [String] {
            pages.keys(beginningWith: Array(prefix.utf8).span, from: Array(start.utf8).span, limit: limit)
                .map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(keys("a:", from: "a:1", limit: 10) == ["a:1", "a:10", "a:2"])
        #expect(keys("a:", from: "a:", limit: 2) == ["a:", "a:1"])
        #expect(keys("", from: "", limit: 10) == ["", "a", "a:", "a:1", "a:10", "a:2", "a;", "b"])
        #expect(keys("c", from: "c", limit: 2) == [])
    }

    /// What a key may cost on top of its bytes, whether keys come in order or not, and after half of them are gone.
    @Test(arguments: [true, false]) func costsLittleOnTopOfTheKeys(inOrder: Bool) {
        var random = SeededGenerator()
        let count = 20_000
        var numbers = Array(0..<count)
        if !inOrder { numbers.shuffle(using: &random) }
        let keys = numbers.map { Array("resp:/users/\(1_000_000_000 + $0)?page=1".utf8) }
        var pages = KeyPages()
        for key in keys { pages.insert(key.span, isHeard: false) }
        let keyBytes = keys.reduce(0) { $0 + $1.count }
        let cost = Double(pages.memory - keyBytes) / Double(count)
        print("\(inOrder ? "in order" : "shuffled"): \(cost) bytes a key on top of its own")
        #expect(pages.count == count && cost < 30)
        for key in keys where Int.random(in: 0..<10, using: &random) > 0 { pages.removeUnlessHeard(key.span) }
        #expect(pages.memory < keyBytes / 2, "what is free is given back")
    }

    private func expect(_ pages: KeyPages, has keys: Set<[UInt8]>, using random: inout SeededGenerator) {
        for prefix in [[], random.bytes("ab:1\0", upTo: 3), random.bytes("ab:1\0", upTo: 2)] {
            let expected = keys.filter { $0.starts(with: prefix) }.sorted { $0.lexicographicallyPrecedes($1) }
            let limit = Int.random(in: 1...50, using: &random)
            #expect(all(of: prefix, in: pages, limit: limit) == expected)
        }
        for key in keys.prefix(50) + (0..<50).map({ _ in random.bytes("ab:1\0x", upTo: 6) }) {
            let isThere = pages.contains(key.span)
            #expect(isThere == keys.contains(key))
        }
    }

    private func all(of prefix: [UInt8], in pages: KeyPages, limit: Int) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var start = prefix
        while true {
            let page = pages.keys(beginningWith: prefix.span, from: start.span, limit: limit)
            guard let last = page.last else { return found }
            found += page.map { Array($0) }
            start = Array(last) + [0]
        }
    }

    private func takeAll(from pages: inout KeyPages, limit: Int) -> [[UInt8]] {
        var taken: [[UInt8]] = []
        var start: [UInt8] = []
        while true {
            let page = pages.takeHeard(from: start.span, limit: limit)
            guard let last = page.last else { return taken }
            taken += page.map { Array($0) }
            start = Array(last) + [0]
        }
    }
}

extension SeededGenerator {
    /// Up to `count` bytes from an alphabet.
    mutating func bytes(_ alphabet: String, upTo count: Int) -> [UInt8] {
        let alphabet = Array(alphabet.utf8)
        return (0..<Int.random(in: 0...count, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? 0 }
    }
}
