import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct CompanionNameTests {
    private let prefix = Array("unstale:fence:".utf8)

    @Test func isThePrefixAndTheKeyWhereThereAreNoSlots() {
        let companions = CompanionName(sharesSlot: false)
        for key in ["user:1", "{user:1}", "a}b", "{}"] {
            #expect(companions.fence(of: Key(key)) == Key("unstale:fence:" + key))
            #expect(companions.keys(behind: Array("unstale:fence:\(key)".utf8), prefix) == [Key(key)])
        }
        #expect(companions.keys(behind: Array("user:1".utf8), prefix) == [])
    }

    @Test(arguments: [
        ("user:1", "unstale:fence:{user:1}"), ("{user:1}:cart", "unstale:fence:{user:1}:cart"),
        ("a{b", "unstale:fence:{a{b}"), ("a}b", nil), ("{}a", nil), ("", nil),
    ])
    func bringsItsKeysHashTag(key: String, name: String?) {
        #expect(CompanionName(sharesSlot: true).fence(of: Key(key)) == name.map { Key($0) })
    }

    @Test func leadsToTheKeysSlotAndBack() {
        var random = SeededGenerator()
        let companions = CompanionName(sharesSlot: true)
        for _ in 0..<20_000 {
            let key = Key(
                bytes: (0..<Int.random(in: 0...6, using: &random)).map { _ in "{}ab".utf8.randomElement(using: &random)!
                })
            guard let name = companions.fence(of: key) else {
                #expect(key.bytes.isEmpty || key.bytes.contains(UInt8(ascii: "}")))
                continue
            }
            #expect(RedisSlot(of: name.bytes) == RedisSlot(of: key.bytes), "\(key)")
            #expect(companions.keys(behind: name.bytes, prefix).contains(key), "\(key)")
        }
    }
}
