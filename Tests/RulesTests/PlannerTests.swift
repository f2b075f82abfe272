import Testing

@testable import Rules

@Suite struct PlannerTests {
    private static let user = """
          - name: user
            table: users
            delete:
              keys: ["user:{id}", "user:by-email:{email|lower}"]
              patterns: ['resp:/users/{id}\\?*']
        """

    @Test func aTemplateIsFilledFromEachImage() throws {
        let capture = try Capture(Self.user)
        let plan = capture.plan(
            capture.change(.update, old: ["id": "1", "email": "A"], new: ["id": "2", "email": "b"]))
        #expect(plan.keyTexts == ["user:1", "user:2", "user:by-email:a", "user:by-email:b"])
        #expect(plan.patternTexts == ["resp:/users/1\\?*", "resp:/users/2\\?*"])
    }

    @Test func neverFromAMixture() throws {
        let capture = try Capture("  - {name: r, table: t, delete: {keys: ['k:{a}:{b}']}}")
        let plan = capture.plan(
            capture.change(.update, old: ["a": "1", "b": "2"], new: ["a": "3", "b": "4"]))
        #expect(plan.keyTexts == ["k:1:2", "k:3:4"])
    }

    @Test func chosenImages() throws {
        let capture = try Capture(
            "  - {name: r, table: t, delete: {keys: ['k:{old.a}:{new.a}', 'o:{old.a}:{b}', 'n:{new.a}']}}")
        let row = ["a": "1", "b": "2"]
        let moved = ["a": "3", "b": "4"]
        #expect(
            capture.plan(capture.change(.update, old: row, new: moved)).keyTexts
                == ["k:1:3", "o:1:2", "o:1:4", "n:3"])
        #expect(capture.plan(capture.change(.insert, new: row)).keyTexts == ["n:1"])
        #expect(capture.plan(capture.change(.delete, old: row)).keyTexts == ["o:1:2"])
        // Both images are equal, and stored once.
        #expect(capture.plan(capture.change(.update, new: row)).keyTexts == ["k:1:1", "o:1:2", "n:1"])
    }

    @Test func aMissingImageIsNoNull() throws {
        let capture = try Capture("  - {name: r, table: t, delete: {keys: ['k:{old.a|default:none}']}}")
        #expect(capture.plan(capture.change(.insert, new: ["a": "1"])).isEmpty)
        #expect(capture.plan(capture.change(.delete, old: ["a": nil])).keyTexts == ["k:none"])
    }

    @Test func aNullSkipsTheKey() throws {
        let capture = try Capture(Self.user)
        let plan = capture.plan(capture.change(.insert, new: ["id": "1", "email": nil]))
        #expect(plan.keyTexts == ["user:1"])
    }

    @Test func eachKeyOnce() throws {
        let capture = try Capture(
            """
              - {name: a, table: t, delete: {keys: ['k:{a}', 'k:{b}'], patterns: ['p:*']}}
              - {name: b, table: t, delete: {keys: ['k:{b}', 'l:{a}'], patterns: ['p:*', 'p:{a}*']}}
            """)
        let plan = capture.plan(
            capture.change(.insert, new: ["a": "1", "b": "1"]),
            capture.change(.delete, old: ["a": "1", "b": "2"]))
        #expect(plan.keyTexts == ["k:1", "l:1", "k:2"])
        #expect(plan.keys.map(\.rule) == [0, 1, 0])
        #expect(plan.patternTexts == ["p:*", "p:1*"])
        #expect(plan.patterns.map(\.rule) == [0, 1])
    }

    @Test func keysAreBytes() throws {
        let capture = try Capture("  - {name: a, table: t, delete: {keys: ['k:{a}']}}")
        let plan = capture.plan(
            capture.change(.insert, new: ["a": "é"]), capture.change(.insert, new: ["a": "e\u{301}"]))
        #expect(plan.keys.count == 2)
    }

    @Test func aPatternWithoutWildcardIsAKey() throws {
        let capture = try Capture(
            "  - {name: a, table: t, delete: {patterns: ['resp:/x\\?', 'resp:/{a}', 'resp:/{a}\\*']}}")
        let plan = capture.plan(capture.change(.insert, new: ["a": "*"]))
        #expect(plan.keyTexts == ["resp:/x?", "resp:/*", "resp:/**"])
        #expect(plan.patterns.isEmpty)
        let any = capture.plan(capture.change(.anyRow))
        #expect(any.keyTexts == ["resp:/x?"])
        #expect(any.patternTexts == ["resp:/*", "resp:/*\\*"])
    }

    @Test func anyRowFiresEveryRuleOfTheTable() throws {
        let capture = try Capture(
            """
              - {name: a, table: t, on: [insert], where: new.a = 1, delete: {keys: ['k*:{a}{b}:{a}']}}
              - {name: b, table: t, columns: [c], delete: {keys: ['k*:{a}:{b}'], patterns: ['k:*{c}?', 'k']}}
              - {name: c, table: u, delete: {keys: ['u:{a}']}}
            """)
        let plan = capture.plan(capture.change(.anyRow, fires: []), capture.change(.anyRow, fires: []))
        #expect(plan.patternTexts == ["k\\*:*:*", "k:*?"])
        #expect(plan.keyTexts == ["k"])
    }

    @Test func onlyTheRulesThatFired() throws {
        let capture = try Capture(
            """
              - {name: a, table: t, on: [insert], delete: {keys: ['a:{id}']}}
              - {name: b, table: t, on: [update], delete: {keys: ['b:{id}']}}
              - {name: c, table: t, on: [update], delete: {keys: ['c:{id}']}}
              - {name: d, table: t, columns: [x], delete: {keys: ['d:{id}']}}
            """)
        #expect(capture.manifest.conditions.count == 3)
        // An update that changes the primary key: the bits of its rules, on a delete and an insert.
        let plan = capture.plan(
            capture.change(.delete, old: ["id": "1"], fires: ["b"]),
            capture.change(.insert, new: ["id": "2"], fires: ["b"]))
        #expect(plan.keyTexts == ["b:1", "c:1", "b:2", "c:2"])
        #expect(capture.plan(capture.change(.update, new: ["id": "1"], fires: [])).isEmpty)
    }

    @Test func repeats() throws {
        let capture = try Capture(
            """
              - {name: a, table: t, delete: {keys: ['k:{id}']}}
              - {name: b, table: t, repeat_after: [1s, 5s], delete: {keys: ['k:{id}', 'l:{id}'], patterns: ['p:*']}}
              - {name: c, table: t, repeat_after: [5s], delete: {keys: ['l:{id}', 'm:{id}']}}
            """)
        let change = capture.change(.insert, new: ["id": "1"])
        let plan = capture.plan(change, change)
        #expect(plan.keys.map(\.rule) == [0, 1, 2])
        #expect(plan.repeats.keys.sorted() == [.seconds(1), .seconds(5)])
        #expect(plan.repeats[.seconds(1)]?.keys.map(\.key.description) == ["k:1", "l:1"])
        #expect(plan.repeats[.seconds(5)]?.keys.map(\.key.description) == ["k:1", "l:1", "m:1"])
        #expect(plan.repeats[.seconds(5)]?.keys.map(\.rule) == [1, 1, 2])
        #expect(plan.repeats[.seconds(1)]?.patterns.map(\.pattern) == [Pattern("p:*")])
        let any = capture.plan(capture.change(.anyRow))
        #expect(
            any.repeats[.seconds(5)]?.patterns.map(\.pattern.description) == ["k:*", "l:*", "p:*", "m:*"])
    }

    @Test func merging() throws {
        let capture = try Capture("  - {name: a, table: t, repeat_after: [1s], delete: {keys: ['k:{id}']}}")
        var plan = capture.plan(capture.change(.insert, new: ["id": "1"]))
        plan.merge(
            capture.plan(capture.change(.insert, new: ["id": "1"]), capture.change(.insert, new: ["id": "2"]))
        )
        plan.merge(capture.plan(capture.change(.anyRow), Change(capture: 9, kind: .anyRow, fired: 0)))
        #expect(plan.keyTexts == ["k:1", "k:2"])
        #expect(plan.patternTexts == ["k:*"])
        #expect(plan.repeats[.seconds(1)]?.keys.count == 2)
        #expect(plan.repeats[.seconds(1)]?.patterns.count == 1)
        #expect(plan.unknownCaptures == [9])
    }

    @Test func imagesShareABuffer() throws {
        let capture = try Capture("  - {name: a, table: t, delete: {keys: ['k:{a}:{b}']}}")
        let first = Image(["1", "é"])
        let second = Image(["", "x"])
        let buffer = [0xFF] + first.bytes + second.bytes
        let changes = [1, 1 + first.bytes.count].map {
            Change(capture: 1, kind: .insert, fired: 1, new: Image(bytes: buffer, start: $0))
        }
        #expect(capture.planner.plan(changes).keyTexts == ["k:1:é", "k::x"])
    }

    @Test func conditions() throws {
        let rule = try rule(
            """
            table: s.t
            on: [delete, update]
            columns: [z, b]
            where: " new.a > 1 "
            delete: {keys: ['k:{id}'], patterns: ['p:{old.name}*']}
            """)
        #expect(
            rule.condition
                == Condition(
                    operations: [.update, .delete], columns: ["b", "id", "name", "z"], predicate: "new.a > 1")
        )
        #expect(rule.imageColumns == ["id", "name"])
        #expect(rule.table.value == TableName(schema: "s", name: "t"))
    }
}
