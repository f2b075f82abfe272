import FoundationEssentials
import Testing

@testable import Rules

/// Calls that wait among the dead letters until a worker, perhaps with other rules, tries them again.
@Suite struct LookupRecordTests {
    private static let lookup = "select number from orders where id = :order_id and x is distinct from :old.x"

    private func rules(_ keys: [String], lookup: String = Self.lookup) throws -> Capture {
        try Capture(
            """
              - name: r
                table: t
                lookup: \(lookup)
                delete: {keys: [\(keys.map { "\"\($0)\"" }.joined(separator: ", "))]}
            """)
    }

    /// The call of an update, as it is written down.
    private func text(under rules: Capture) throws -> String {
        let change = rules.change(
            .update, old: ["order_id": "7", "x": nil, "status": "open", "region": "eu"],
            new: ["order_id": "7", "x": "1", "status": "paid", "region": "us"])
        let call = try #require(rules.plan(change).lookups.first)
        return String(decoding: try JSONEncoder().encode(call.record(rules.rules.rules)), as: UTF8.self)
    }

    /// The keys that a call leads to which was written down by others; nil where these rules can't make it.
    private func keys(_ text: String, under rules: Capture) throws -> [String]? {
        let record = try JSONDecoder().decode(LookupCall.Record.self, from: Data(text.utf8))
        return try rules.planner.call(record, ofRule: 0).map {
            try rules.planner.plan($0, columns: ["number"], rows: [[Array("A".utf8)]]).keyTexts
        }
    }

    @Test(arguments: [
        (["o:{number}"], ["o:A"]), (["o:{number}:{new.status}"], ["o:A:paid"]),
        (["o:{number}:{old.status}:{new.region}:{new.status}"], ["o:A:open:us:paid"]),
    ])
    func sameRules(templates: [String], found: [String]) throws {
        let rules = try rules(templates)
        #expect(try keys(text(under: rules), under: rules) == found)
        // Templates that take the same columns are as good.
        #expect(try keys(text(under: rules), under: self.rules(templates + ["more:{number}"]))?.count == 2)
    }

    /// A value must not be taken for another column's, nor one be looked for that isn't there.
    @Test(arguments: [
        (["o:{number}:{new.status}"], ["o:{number}:{new.status}", "o:{number}:{new.region}"]),
        (["o:{number}:{new.status}"], ["o:{number}:{new.region}"]),
        (["o:{number}:{new.status}:{new.region}"], ["o:{number}:{new.region}"]),
        (["o:{number}:{old.status}"], ["o:{number}:{new.status}"]),
        (["o:{number}"], ["o:{number}:{old.region}"]),
    ])
    func otherTemplates(before: [String], after: [String]) throws {
        #expect(try keys(text(under: rules(before)), under: rules(after)) == nil)
    }

    @Test(arguments: [
        "select number from orders where x is distinct from :old.x and id = :order_id",
        "select number from orders where id = :order_id and x is distinct from :new.x",
        "select number from orders where id = :order_id",
    ])
    func otherParameters(lookup: String) throws {
        let before = try rules(["o:{number}"])
        #expect(try keys(text(under: before), under: rules(["o:{number}"], lookup: lookup)) == nil)
    }

    /// An insert has no old row, and that is no reason to know less.
    @Test func aRowThatIsNotThere() throws {
        let rules = try rules(
            ["o:{number}:{old.status}", "o:{number}:{new.status}"], lookup: "select number from o where :order_id = 1")
        let insert = rules.change(.insert, new: ["order_id": "7", "status": "paid"])
        let call = try #require(rules.plan(insert).lookups.first)
        let recalled = try #require(rules.planner.call(call.record(rules.rules.rules), ofRule: 0))
        #expect(recalled == call)
        let found = try rules.planner.plan(recalled, columns: ["number"], rows: [[Array("A".utf8)]])
        #expect(found.keyTexts == ["o:A:paid"])
    }

    /// Workers of before wrote no names.
    @Test func withoutNames() throws {
        let old = #"{"parameters":["7",null],"new":["paid"]}"#
        #expect(try keys(old, under: rules(["o:{number}:{new.status}"])) == ["o:A:paid"])
        #expect(try keys(old, under: rules(["o:{number}:{new.status}:{new.region}"])) == nil)
        #expect(try keys(old, under: rules(["o:{number}:{new.status}:{old.region}"])) == nil)
        #expect(try keys(old, under: rules(["o:{number}"])) == nil)
        #expect(try keys(#"{"parameters":["7"]}"#, under: rules(["o:{number}"])) == nil)
    }

    @Test func aRuleWithoutALookup() throws {
        let text = try text(under: rules(["o:{number}"]))
        #expect(try keys(text, under: Capture("  - {name: r, table: t, delete: {keys: [\"o:{order_id}\"]}}")) == nil)
    }
}
