import Testing

@testable import Rules

@Suite struct LookupTests {
    private static let lines = """
          - name: lines
            table: order_lines
            lookup: select o.number from orders o where o.id = :order_id
            repeat_after: [1s]
            delete:
              keys: ["order:{number}", "line:{old.id}", "mix:{number}:{new.id}"]
              patterns: ['orders\\?*', 'of:{number}:*']
        """

    @Test func callsAreMadeForEachImageAndOnce() throws {
        let capture = try Capture(Self.lines)
        #expect(capture.manifest.columns == ["id", "order_id"])
        let moved = capture.change(
            .update, old: ["id": "1", "order_id": "7"], new: ["id": "1", "order_id": "8"])
        let plan = capture.plan(moved, moved)
        #expect(plan.lookups.map { $0.parameters.map(text) } == [["7"], ["8"]])
        #expect(plan.lookups.map(\.rule) == [0, 0])
        // What needs no result is planned without waiting for one.
        #expect(plan.keyTexts == ["line:1"])
        #expect(plan.patternTexts == ["orders\\?*"])
        #expect(!plan.isEmpty)
    }

    @Test func resultsBecomeKeys() throws {
        let capture = try Capture(Self.lines)
        let plan = capture.plan(capture.change(.insert, new: ["id": "1", "order_id": "7"]))
        let rows = [["A*", "x"], [nil, "y"], ["B", "z"]].map { $0.map { $0.map { Array($0.utf8) } } }
        let found = try capture.planner.plan(plan.lookups[0], columns: ["number", "more"], rows: rows)
        #expect(found.keyTexts == ["order:A*", "mix:A*:1", "order:B", "mix:B:1"])
        #expect(found.patternTexts == ["of:A\\*:*", "of:B:*"])
        #expect(found.repeats[.seconds(1)]?.keys.count == 4)
    }

    @Test func aTemplateThatNeedsAMissingImageIsSkipped() throws {
        let capture = try Capture(Self.lines)
        let plan = capture.plan(capture.change(.delete, old: ["id": "1", "order_id": "7"]))
        let found = try capture.planner.plan(plan.lookups[0], columns: ["number"], rows: [[Array("A".utf8)]])
        #expect(found.keyTexts == ["order:A"])
    }

    /// Calls are one if what is bound and what is mixed in are the same.
    @Test func coalescing() throws {
        let capture = try Capture(
            """
              - name: r
                table: t
                lookup: select a from b where c = :c and d is not distinct from :old.d
                delete: {keys: ['k:{a}']}
            """)
        let plan = capture.plan(
            capture.change(.update, old: ["c": "1", "d": nil], new: ["c": "1", "d": "3"]),
            capture.change(.update, old: ["c": "1", "d": nil], new: ["c": "2", "d": "4"]),
            capture.change(.insert, new: ["c": "9", "d": "4"]))
        #expect(plan.lookups.map { $0.parameters.map(text) } == [["1", nil], ["2", nil]])
    }

    @Test func aQueryWithoutParametersRunsOnce() throws {
        let capture = try Capture(
            "  - {name: r, table: t, lookup: 'table b', delete: {keys: ['k:{a}']}}")
        let change = capture.change(.update, old: [:], new: [:])
        #expect(capture.plan(change, change).lookups.count == 1)
    }

    @Test func anyRowNeedsNoLookup() throws {
        let capture = try Capture(Self.lines)
        let plan = capture.plan(capture.change(.anyRow))
        #expect(plan.lookups.isEmpty)
        #expect(plan.patternTexts == ["order:*", "line:*", "mix:*:*", "orders\\?*", "of:*:*"])
    }

    @Test func aResultWithoutAColumn() throws {
        let capture = try Capture(Self.lines)
        let plan = capture.plan(capture.change(.insert, new: ["id": "1", "order_id": "7"]))
        let error = #expect(throws: MissingLookupColumn.self) {
            try capture.planner.plan(plan.lookups[0], columns: ["nummer"], rows: [])
        }
        #expect(
            error?.description
                == "the lookup of the rule 'lines' returns no column 'number', which its templates use")
    }

    private func text(_ value: [UInt8]?) -> String? { value.map { String(decoding: $0, as: UTF8.self) } }
}
