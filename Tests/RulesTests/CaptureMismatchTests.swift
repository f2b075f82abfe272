import Testing

@testable import Rules

/// Rules and captures that are not of one mind: nothing may be left stale.
@Suite struct CaptureMismatchTests {
    private let table = TableName(name: "t")
    private let known = Condition(operations: [.insert], predicate: "new.a = 1")

    @Test func aRuleThatTheCaptureDoesNotKnowFiresForEveryRecordOfItsKind() throws {
        let planner = try planner("on: [insert]\ndelete: {keys: ['k:{id}']}", columns: ["id"])
        #expect(planner.uncaptured == ["r"])
        #expect(planner.plan([change(.insert)]).keyTexts == ["k:1"])
        #expect(planner.plan([change(.update)]).isEmpty)
        #expect(planner.plan([change(.delete)]).isEmpty)
    }

    /// An update that changes the primary key is a delete and an insert.
    @Test func aRuleAboutUpdatesFearsEveryKind() throws {
        let planner = try planner("on: [update]\ndelete: {keys: ['k:{id}']}", columns: ["id"])
        #expect(planner.plan([change(.insert)]).keyTexts == ["k:1"])
        #expect(planner.plan([change(.update)]).keyTexts == ["k:1"])
        #expect(planner.plan([change(.delete)]).keyTexts == ["k:1"])
    }

    @Test func withoutItsColumnsARuleFearsAnyRow() throws {
        let planner = try planner("on: [insert]\ndelete: {keys: ['k:{id}:{b}']}", columns: ["id"])
        #expect(planner.uncaptured == ["r"])
        #expect(planner.plan([change(.update), change(.update)]).patternTexts == ["k:*:*"])
    }

    @Test func aKnownConditionWithoutItsColumns() throws {
        let rule = try rule("table: t\ndelete: {keys: ['k:{b}']}")
        let manifest = Manifest(table: table, columns: ["id"], conditions: [rule.condition])
        let planner = Planner(rules: [rule], manifests: [1: manifest])
        #expect(planner.uncaptured == ["r"])
        #expect(planner.plan([change(.update)]).patternTexts == ["k:*"])
    }

    @Test func moreThanIsNeededIsFine() throws {
        let rule = try rule("table: t\ndelete: {keys: ['k:{id}']}")
        let manifest = Manifest(table: table, columns: ["a", "id"], conditions: [known, rule.condition])
        let planner = Planner(rules: [rule], manifests: [1: manifest])
        #expect(planner.uncaptured == [])
        let image = Image(["7", "1"])
        #expect(planner.plan([Change(capture: 1, kind: .update, fired: 2, new: image)]).keyTexts == ["k:1"])
        #expect(planner.plan([Change(capture: 1, kind: .update, fired: 1, new: image)]).isEmpty)
        #expect(planner.plan([Change(capture: 1, kind: .update, fired: 1 << 62, new: image)]).isEmpty)
    }

    @Test func theNewestCaptureCounts() throws {
        let rule = try rule("table: t\ndelete: {keys: ['k:{id}']}")
        let exact = Manifest(table: table, columns: ["id"], conditions: [rule.condition])
        let old = Manifest(table: table, columns: [], conditions: [])
        #expect(Planner(rules: [rule], manifests: [1: old, 2: exact]).uncaptured == [])
        #expect(Planner(rules: [rule], manifests: [1: exact, 2: old]).uncaptured == ["r"])
        #expect(Planner(rules: [rule], manifests: [:]).uncaptured == ["r"])
    }

    @Test func anUnknownCaptureIsTold() throws {
        let planner = try planner("delete: {keys: ['k:{id}']}", columns: ["id"])
        #expect(planner.knows(capture: 1))
        #expect(!planner.knows(capture: 2))
        let plan = planner.plan([Change(capture: 2, kind: .anyRow, fired: 0)])
        #expect(plan.unknownCaptures == [2])
        #expect(!plan.isEmpty)
    }

    private func planner(_ lines: String, columns: [String]) throws -> Planner {
        let manifest = Manifest(table: table, columns: columns, conditions: [known])
        return Planner(rules: [try rule("table: t\n" + lines)], manifests: [1: manifest])
    }

    private func change(_ kind: Change.Kind) -> Change {
        let row = Image(["1"])
        return Change(
            capture: 1, kind: kind, fired: 0, old: kind == .delete ? row : nil,
            new: kind == .delete ? nil : row)
    }
}
