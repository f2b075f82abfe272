import Redis
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Delivery

@Suite struct SweepFilterTests {
    private func page(_ keys: [String]) -> RedisStrings { RedisStrings(keys.map { Array($0.utf8) }) }

    @Test func findsTheKeysBehindFences() {
        let filter = SweepFilter(["a:*", "b:*", "c:?"].map { Pattern($0) }, fenced: [Pattern("a:*"), Pattern("c:?")])
        let page = page([
            "a:1", "unstale:fence:a:2", "unstale:fence:b:1", "b:2", "unstale:fence:c:3", "unstale:fence:c:33",
        ])
        #expect(filter.keys(of: page) == [Key("a:1"), Key("b:2")])
        #expect(filter.keysOfFences(of: page) == [Key("a:2"), Key("c:3")])
    }

    @Test func findsTheKeysBehindFencesOfACluster() {
        let filter = SweepFilter(
            [Pattern("a:*")], fenced: [Pattern("a:*")], companions: CompanionName(sharesSlot: true))
        #expect(filter.fencePattern == Pattern("unstale:fence:*"))
        let page = page(["unstale:fence:{a:1}", "unstale:fence:a:{2}", "unstale:fence:{b}", "unstale:fence:{{a:3}}"])
        #expect(filter.keysOfFences(of: page) == [Key("a:1"), Key("a:{2}")])
    }

    @Test func sweepsNoFenceUnlessItIsMeant() {
        let page = page(["u:1", "unstale:fence:u:1", "unstale:lock:u:1"])
        #expect(SweepFilter([Pattern("u*")], fenced: []).keys(of: page) == [Key("u:1"), Key("unstale:lock:u:1")])
        #expect(SweepFilter([Pattern("unstale:fence:*")], fenced: []).keys(of: page) == [Key("unstale:fence:u:1")])
        #expect(SweepFilter([Pattern("unstale:*"), Pattern("u:*")], fenced: []).keys(of: page).count == 3)
    }

    /// What somebody took away from a tag and has not deleted yet.
    @Test func sweepsNoTagThatIsBeingEmptied() {
        let page = page(["u:1", "unstale:tag:u:1", "unstale:tag-token:u:1"])
        #expect(SweepFilter([Pattern("u*")], fenced: []).keys(of: page) == [Key("u:1")])
        #expect(SweepFilter([Pattern("unstale:*")], fenced: []).keys(of: page).count == 2)
    }

    @Test func looksForOthersTooInOneScan() async throws {
        let seen = Mutex<[Key]>([])
        let visits: [(patterns: [Pattern], visit: SweepVisit)] = [
            ([Pattern("ax*"), Pattern("unstale:tag:*")], { keys in seen.withLock { $0 += keys } }),
            ([Pattern("ay*")], { keys in seen.withLock { $0 += keys } }),
        ]
        let page = page(["az1", "ax1", "ay1", "b", "unstale:tag:x", "unstale:fence:ax1"])
        let filter = SweepFilter([Pattern("az*")], fenced: [], visits: visits)
        #expect(filter.keys(of: page) == [Key("az1")])
        try await filter.visit(page)
        #expect(seen.withLock { $0 } == [Key("ax1"), Key("unstale:tag:x"), Key("ay1")])
        #expect(filter.keyPattern == Pattern("*"))
        #expect(SweepFilter([Pattern("az*")], fenced: [], visits: [visits[1]]).keyPattern == Pattern("a*"))
        #expect(SweepFilter([], fenced: [], visits: [visits[1]]).keyPattern == Pattern("ay*"))
    }

    @Test(arguments: [
        (["a:*"], "unstale:fence:a:*"), (["a:*", "ab*"], "unstale:fence:a*"), (["a", "b"], "unstale:fence:*"),
        (["\\*:?"], "unstale:fence:\\*:?"), ([], nil),
    ])
    func asksForFencesOfFencedPatternsAlone(fenced: [String], scan: String?) {
        let filter = SweepFilter([Pattern("x:*")] + fenced.map { Pattern($0) }, fenced: Set(fenced.map { Pattern($0) }))
        #expect(filter.fencePattern == scan.map { Pattern($0) })
    }
}

extension SweepFilter {
    fileprivate init(
        _ patterns: [Pattern], fenced: Set<Pattern>, visits: [(patterns: [Pattern], visit: SweepVisit)] = []
    ) {
        self.init(patterns, fenced: fenced, visits: visits, companions: CompanionName(sharesSlot: false))
    }
}
