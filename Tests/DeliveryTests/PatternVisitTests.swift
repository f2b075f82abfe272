import Rules
import Testing

@testable import Delivery

@Suite struct PatternVisitTests {
    private let actions = [
        PlannedPatternAction(.emptyTag, Pattern("t:*"), rule: 0),
        PlannedPatternAction(.expire(.seconds(1)), Pattern("*e:*"), rule: 1, isFenced: true),
    ]

    @Test func findsTagsByTheSetsThatWereTakenFromThem() {
        let visit = PatternVisit(actions, companions: CompanionName(sharesSlot: false))
        #expect(
            visit.passes == [
                [Pattern("unstale:fence:*e:*")], [Pattern("t:*"), Pattern("*e:*"), Pattern("unstale:tag:t:*")],
            ])
        let found = visit.actions(on: ["t:1", "e:1", "unstale:tag:t:2", "unstale:fence:1", "x"].map { Key($0) })
        #expect(
            found == [
                PlannedAction(.emptyTag, Key("t:1"), rule: 0),
                PlannedAction(.expire(.seconds(1)), Key("e:1"), rule: 1, isFenced: true),
                PlannedAction(.emptyTag, Key("t:2"), rule: 0),
            ])
    }

    @Test func inAClusterTheirNamesHaveBraces() {
        let visit = PatternVisit([actions[0]], companions: CompanionName(sharesSlot: true))
        #expect(visit.passes == [[Pattern("t:*"), Pattern("unstale:tag:t:*"), Pattern("unstale:tag:{t:*}")]])
        let found = visit.actions(on: [Key("unstale:tag:{t:2}"), Key("unstale:tag:t:{3}")])
        #expect(found.map(\.key) == [Key("t:2"), Key("t:{3}")])
    }

    /// An entry that a reader is loading has its fence and nothing else. Where there is none, one pass is enough.
    @Test(arguments: [(true, false), (false, true), (false, false)])
    func findsEntriesThatAreBeingLoadedByTheirFences(isFenced: Bool, fencesAll: Bool) {
        let expire = PlannedPatternAction(.expire(.seconds(1)), Pattern("e:*"), rule: 0, isFenced: isFenced)
        let bump = PlannedPatternAction(.bump, Pattern("e:*"), rule: 0)
        for sharesSlot in [false, true] {
            let visit = PatternVisit(
                [expire, bump], companions: CompanionName(sharesSlot: sharesSlot), fencesAll: fencesAll)
            let name = sharesSlot ? "unstale:fence:{e:1}" : "unstale:fence:e:1"
            let found = visit.actions(on: [Key(name), Key("unstale:fence:x"), Key("unstale:tag:e:1")])
            let planned = PlannedAction(.expire(.seconds(1)), Key("e:1"), rule: 0, isFenced: isFenced)
            #expect(found == (isFenced || fencesAll ? [planned] : []))
            #expect(visit.passes.count == (isFenced || fencesAll ? 2 : 1))
            #expect(visit.passes[0].contains { Glob($0).matches(Key(name)) } == (isFenced || fencesAll))
        }
    }
}
