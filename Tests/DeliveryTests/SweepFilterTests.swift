import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct SweepFilterTests {
    private func page(_ keys: [String]) -> ScanPage {
        ScanPage(.array([.bulk(ScanPage.edge), .array(keys.map { .bulk(Array($0.utf8)) })]))!
    }

    @Test func findsTheKeysBehindFences() {
        let filter = SweepFilter(["a:*", "b:*", "c:?"].map { Pattern($0) }, fenced: [Pattern("a:*"), Pattern("c:?")])
        let page = page([
            "a:1", "unstale:fence:a:2", "unstale:fence:b:1", "b:2", "unstale:fence:c:3", "unstale:fence:c:33",
        ])
        #expect(filter.keys(on: page) == [Key("a:1"), Key("b:2")])
        #expect(filter.keysOfFences(on: page) == [Key("a:2"), Key("c:3")])
    }

    @Test func sweepsNoFenceUnlessItIsMeant() {
        let page = page(["u:1", "unstale:fence:u:1", "unstale:lock:u:1"])
        #expect(SweepFilter([Pattern("u*")], fenced: []).keys(on: page) == [Key("u:1"), Key("unstale:lock:u:1")])
        #expect(SweepFilter([Pattern("unstale:fence:*")], fenced: []).keys(on: page) == [Key("unstale:fence:u:1")])
        #expect(SweepFilter([Pattern("unstale:*"), Pattern("u:*")], fenced: []).keys(on: page).count == 3)
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
