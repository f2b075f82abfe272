import Testing

@testable import Rules

/// What plans have besides keys to delete and entries to load.
@Suite struct ActionPlanTests {
    private let yaml = """
          - name: a
            table: t
            delete: {keys: ["k:{id}"], patterns: ["p:{id}:*"], tags: ["t:{id}"]}
            expire: {keys: ["e:{id}"], in: 5s}
            bump: [g, "g:{id}"]
            publish: {channel: c}
            repeat_after: [1s]
        """

    @Test func aRowThatMovesConcernsBothOfItsTags() throws {
        let plan = try Capture(yaml).plan(
            Capture(yaml).change(.update, old: ["id": "1"], new: ["id": "2"]))
        let expire = KeyAction.expire(.seconds(5))
        #expect(
            plan.actions.map(\.target) == [
                Target(.emptyTag, "t:1"), Target(.emptyTag, "t:2"), Target(expire, "e:1"), Target(expire, "e:2"),
                Target(.bump, "g"), Target(.bump, "g:1"), Target(.bump, "g:2"),
            ])
        #expect(plan.keyTexts == ["k:1", "k:2"] && plan.patternTexts == ["p:1:*", "p:2:*"])
        #expect(plan.patternActions.isEmpty)
    }

    /// Who has read a counter before stores under what it was, and nobody looks there.
    @Test func allButCountersIsRepeated() throws {
        let capture = try Capture(yaml)
        let plan = capture.plan(capture.change(.insert, new: ["id": "1"]))
        let work = try #require(plan.repeats[.seconds(1)])
        #expect(work.actions.map(\.key.description) == ["t:1", "e:1"])
        #expect(work.keys.map(\.key) == [Key("k:1")])
        #expect(
            work.news.first?.items == [
                .key(Key("k:1")), .pattern(Pattern("p:1:*")), .tag(Key("t:1")), .key(Key("e:1")),
            ])
    }

    @Test func listenersAreToldEachThingOnce() throws {
        let capture = try Capture(yaml)
        let change = capture.change(.insert, new: ["id": "1"])
        let plan = capture.plan(change, change)
        #expect(plan.news.count == 1)
        #expect(
            plan.news.first?.items == [
                .key(Key("k:1")), .pattern(Pattern("p:1:*")), .tag(Key("t:1")), .key(Key("e:1")), .counter(Key("g")),
                .counter(Key("g:1")),
            ])
        #expect(plan.news.first?.isAnyRow == false)
    }

    /// A key that two rules ask for is deleted once, and told by both.
    @Test func eachRuleTellsItsOwnListeners() throws {
        let capture = try Capture(
            """
              - {name: a, table: t, delete: {keys: ["k:{id}"]}}
              - {name: b, table: t, delete: {keys: ["k:{id}"]}, publish: {channel: b}}
              - {name: c, table: t, rewarm: [{key: "k:{id}", sql: "select 1", ttl: 5s}], publish: {channel: c}}
              - {name: d, table: t, delete: {keys: ["k:{id}"]}, publish: {channel: d, message: "{id} of {old.id}"}}
              - {name: e, table: t, publish: {channel: e}}
            """)
        let plan = capture.plan(
            capture.change(.update, old: ["id": "1"], new: ["id": "1"]), capture.change(.insert, new: ["id": "2"]))
        #expect(plan.news.map(\.rule) == [1, 2, 3, 4])
        #expect(plan.news[0].items == [.key(Key("k:1")), .key(Key("k:2"))])
        #expect(plan.news[1].items == [.key(Key("k:1")), .key(Key("k:2"))])
        #expect(plan.news[2].items == [.message(Array("1 of 1".utf8))])
        #expect(plan.news[3].items.isEmpty)
    }

    @Test func anyRowMeansEveryColumnIsAStar() throws {
        let capture = try Capture(yaml)
        let plan = capture.plan(capture.change(.anyRow))
        #expect(plan.actions.map(\.target) == [Target(.bump, "g")])
        #expect(
            plan.patternActions.map { "\($0.action) \($0.pattern)" } == ["tag t:*", "expire e:*", "bump g:*"])
        #expect(plan.patternTexts == ["k:*", "p:*:*"])
        #expect(plan.news.first?.isAnyRow == true)
        #expect(
            plan.news.first?.items == [.pattern(Pattern("k:*")), .pattern(Pattern("p:*:*")), .pattern(Pattern("e:*"))])
    }

    @Test func lookupsFillThemToo() throws {
        let capture = try Capture(
            """
              - name: a
                table: t
                lookup: select :id as n
                delete: {tags: ["t:{n}", "u:{old.id}"]}
                bump: ["g:{n}"]
                publish: {channel: c, message: "m{n}"}
            """)
        let plan = capture.plan(capture.change(.delete, old: ["id": "1"]))
        #expect(plan.actions.map(\.target) == [Target(.emptyTag, "u:1")])
        let call = try #require(plan.lookups.first)
        let found = try capture.planner.plan(call, columns: ["n"], rows: [[Array("7".utf8)]])
        #expect(found.actions.map(\.target) == [Target(.emptyTag, "t:7"), Target(.bump, "g:7")])
        #expect(found.news.first?.items == [.message(Array("m7".utf8))])
    }

    @Test func aFenceIsForEntries() throws {
        let capture = try Capture(
            """
              - name: a
                table: t
                fence: true
                delete: {tags: ["t:{id}"]}
                expire: {keys: ["e:{id}"], in: 5s}
                bump: ["g:{id}"]
              - name: b
                table: t
                expire: {keys: ["e:{id}", "r:{id}"], in: 5s}
                delete: {tags: ["u:{id}"]}
              - {name: c, table: t, rewarm: [{key: "r:{id}", sql: "select 1", ttl: 5s}]}
            """)
        for change in [capture.change(.insert, new: ["id": "1"]), capture.change(.anyRow)] {
            let plan = capture.plan(change)
            let fenced =
                plan.actions.filter(\.isFenced).map(\.key.description)
                + plan.patternActions.filter(\.isFenced).map(\.pattern.description)
            // Two rules may have one tag, and what is found under it is found once.
            #expect(Set(fenced.map { $0.prefix(2) }) == ["t:", "u:", "e:", "r:"], "\(change.kind)")
        }
        #expect(capture.planner.mayRewarm(Key("r:1")) && !capture.planner.mayRewarm(Key("e:1")))
    }

    @Test func coverageAndExplanationsKnowThem() throws {
        let rules = try RuleSet.parse("version: 1\nrules:\n" + yaml)
        let matches = ["t:1", "e:1", "g", "g:1", "k:1"].map { rules.rules(thatMayStale: $0) }
        #expect(
            matches.map { $0.map { $0.action.map { "\($0)" } ?? "none" } } == [
                ["tag"], ["expire"], ["bump"], ["bump"], ["none"],
            ])
        var coverage = KeyCoverage(rules.rules)
        for key in ["t:1", "e:1", "g", "g:1", "x"] { coverage.add(Array(key.utf8)) }
        #expect(coverage.touched == 4)
        #expect(coverage.unmatched.map(\.template.source) == ["k:{id}", "p:{id}:*"])
    }

    @Test func whatIsTriedAgainIsToldAgain() throws {
        let planner = try Capture(yaml).planner
        let plans = [
            planner.plan(deleting: Key("k:1"), rule: 0), planner.plan(.emptyTag, Key("t:1"), rule: 0),
            planner.plan(.bump, Key("g"), rule: 0), planner.plan(publishing: [65], rule: 0),
        ]
        #expect(
            plans.map { $0.news.first?.items } == [
                [.key(Key("k:1"))], [.tag(Key("t:1"))], [.counter(Key("g"))], [.message([65])],
            ])
    }

    fileprivate struct Target: Equatable {
        let action: KeyAction
        let key: String

        init(_ action: KeyAction, _ key: String) { (self.action, self.key) = (action, key) }
    }
}

extension PlannedAction {
    fileprivate var target: ActionPlanTests.Target { .init(action, key.description) }
}
