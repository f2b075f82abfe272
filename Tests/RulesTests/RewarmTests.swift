import Testing

@testable import Rules

/// What changes ask of rules that load entries anew.
@Suite struct RewarmTests {
    private let items = """
          - name: item
            table: items
            rewarm:
              - {key: "item:{id}", sql: "select :name, :old.price, :id", ttl: 1h}
              - key: "page:{category|lower}"
                http: {url: "http://h/c/{category}?q={id|urlencode}", headers: {X-Id: "no {id}"}}
                ttl: 5m
          - {name: lists, table: items, delete: {keys: ["item:{id}:list"], patterns: ["page:*", "other:{id}:*"]}}
          - {name: elsewhere, table: items, delete: {keys: ["user:{id}"]}, fence: true}
        """

    private func row(_ id: String, _ name: String?, price: String?, _ category: String?) -> [String: String?] {
        ["id": id, "name": name, "price": price, "category": category]
    }

    @Test func aLoaderIsFilledFromOneImage() throws {
        let capture = try Capture(items)
        let plan = capture.plan(
            capture.change(
                .update, old: row("1", "a", price: "5", "Ä/B"), new: row("1", nil, price: "6", "c d"),
                fires: ["item"]))
        #expect(plan.rewarms.map(\.key.description) == ["item:1", "page:c d"])
        // The page that the item has left would be read with what the item is by now.
        #expect(plan.keyTexts == ["page:ä/b", "item:1:list", "user:1"])
        #expect(plan.work.fencedKeys.contains(Key("page:ä/b")))
        // The new image comes last; old.price is the old one's whichever image fills the rest.
        #expect(plan.rewarms[0].parameters.map { $0.map { String(decoding: $0, as: UTF8.self) } } == [nil, "5", "1"])
        guard case .http(let call) = plan.rewarms[1].input else { throw Missing() }
        #expect(String(decoding: call.url, as: UTF8.self) == "http://h/c/c%20d?q=1")
        #expect(call.headers == [HTTPCall.Header(name: "X-Id", value: Array("no 1".utf8))])
    }

    /// Of a key that a row has left, a loader that goes by it knows whether there is something. It alone is asked.
    @Test func theKeyThatARowHasLeft() throws {
        let capture = try Capture(
            """
              - name: user
                table: users
                rewarm:
                  - {key: "user:by-email:{email}", sql: "select name from users where email = :email", ttl: 1h}
                  - {key: "user:by-name:{name}", sql: "select name from users where id = :id", ttl: 1h}
            """)
        func user(_ email: String, _ name: String) -> [String: String?] { ["id": "1", "email": email, "name": name] }
        for change in [
            capture.change(.update, old: user("a", "x"), new: user("b", "y")),
            // Without a primary key an update of many rows is a delete and an insert.
            capture.change(.delete, old: user("a", "x")),
        ] {
            let plan = capture.plan(change)
            let loaded = plan.rewarms.map(\.key.description)
            #expect(loaded.contains("user:by-email:a") && !loaded.contains("user:by-name:x"))
            #expect(plan.keyTexts == ["user:by-name:x"])
        }
    }

    @Test func whatTheLoaderLacksIsDeleted() throws {
        let capture = try Capture(items)
        // An insert has no old price.
        let plan = capture.plan(
            capture.change(.insert, new: row("1", "a", price: "5", nil), fires: ["item"]))
        #expect(plan.rewarms.isEmpty)
        #expect(plan.keyTexts.first == "item:1")
        #expect(plan.work.fencedKeys.contains(Key("item:1")))
    }

    @Test func anyRowIsDeleted() throws {
        let capture = try Capture(items)
        let plan = capture.plan(Change(capture: 1, kind: .anyRow, fired: 0))
        #expect(plan.rewarms.isEmpty)
        #expect(Set(plan.patternTexts) == ["item:*", "page:*", "item:*:list", "other:*:*", "user:*"])
        #expect(Set(plan.work.fencedPatterns.map(\.description)) == ["item:*", "page:*", "item:*:list", "user:*"])
    }

    /// Keys that a loader may be reading are fenced when another rule deletes them.
    @Test func fences() throws {
        let capture = try Capture(items)
        let plan = capture.plan(
            capture.change(.delete, old: row("1", "a", price: "5", "c"), fires: ["lists", "elsewhere"]))
        // The first rule has the same condition, so it fires too.
        #expect(plan.work.fencedKeys == Set(["item:1", "page:c", "item:1:list", "user:1"].map(Key.init)))
        #expect(plan.work.fencedPatterns == [Pattern("page:*")])
    }

    /// Ten changes of one row are one load.
    @Test func oneLoadForAKey() throws {
        let capture = try Capture(
            """
              - name: item
                table: items
                rewarm:
                  - {key: "item:{id}", sql: "select name from items where id = :id", ttl: 1h}
                  - {key: "page:{category|lower}", http: {url: "http://h/c/{category}"}, ttl: 5m}
            """)
        let changes = (1...10).map { n in
            capture.change(
                .update, old: row("1", "n\(n)", price: "0", "c"), new: row("1", "n\(n + 1)", price: "0", "c"))
        }
        let plan = capture.planner.plan(changes)
        #expect(plan.rewarms.map(\.key.description) == ["item:1", "page:c"])
        #expect(plan.keys.isEmpty)
    }

    @Test func afterALookup() throws {
        let capture = try Capture(
            """
              - name: line
                table: lines
                lookup: select number from orders where id = :order_id
                rewarm:
                  - {key: "order:{number}", sql: "select :number, :new.note", ttl: 1h}
                  - {key: "total:{number}", sql: "select sum(amount) from lines where number = :number", ttl: 1h}
                repeat_after: [1s]
            """)
        let plan = capture.plan(capture.change(.update, new: ["order_id": "7", "note": "x"]))
        let call = try #require(plan.lookups.first)
        let found = try capture.planner.plan(call, columns: ["number"], rows: [[Array("A1".utf8)]])
        #expect(found.rewarms.map(\.key) == [Key("order:A1"), Key("total:A1")])
        #expect(found.rewarms[0].parameters == [Array("A1".utf8), Array("x".utf8)])
        #expect(found.repeats[.seconds(1)]?.rewarms == [found.rewarms[1]])
    }

    @Test func recordsOutliveTheProcess() throws {
        let capture = try Capture(items)
        let plan = capture.plan(
            capture.change(
                .update, old: row("1", "a", price: nil, "c"), new: row("1", "b", price: nil, "c"), fires: ["item"]))
        #expect(plan.rewarms.count == 2)
        for call in plan.rewarms {
            let record = call.record(capture.rules.rules)
            var expected = call
            expected.isRetry = true
            #expect(capture.planner.call(record, ofRule: 0) == expected)
            #expect(capture.planner.call(record, ofRule: 1) == nil, "another rule has no such loader")
        }
    }

    @Test(arguments: [
        ("sql: values (1)", "a query begins with SELECT or WITH"),
        ("sql: select 1; drop table x", "';'"),
        ("sql: select 1, when: exists, max_idle: 1s", "'max_idle' says what is hot, and 'when' is not 'hot'"),
        ("sql: select 1, deadline: 31s", "'deadline' must be at most 30s"),
        ("sql: select 1, concurrency: 0", "'concurrency' must be a number from 1 to 1000000"),
        ("http: {url: 'http://{host}/a'}", "a column has a part in the URL's host"),
        ("http: {url: 'http://h{id}/a'}", "a column has a part in the URL's host"),
        ("http: {url: 'http://h:{id}/a'}", "port"),
        ("http: {url: 'ftp://h/a'}", "neither with http:// nor with https://"),
        ("http: {url: 'http:///a'}", "no host"),
        ("http: {url: 'http://u:p@h/a'}", "credentials go into a header"),
        ("http: {url: 'http://h/a b'}", "percent-encoded"),
        ("http: {url: 'http://h/a/{id}?ids[]=1'}", "percent-encoded"),
        ("http: {url: 'http://h/a/{id}#top'}", "fragment"),
        ("http: {url: 'http://h/a/%2{id}'}", "two hexadecimal digits"),
        ("http: {url: 'http://h/{id}', addresses: [localhost]}", "'localhost' is no IP address"),
        ("http: {url: 'http://h/{id}/../a'}", "segment"),
        ("http: {url: 'http://h/', headers: {'X Y': a}}", "can't be the name of a header field"),
        (#"http: {url: 'http://h/', headers: {X: "a\r\nB: c"}}"#, "can't have a line end"),
    ])
    func mistakes(loader: String, message: String) {
        let yaml = "version: 1\nrules:\n  - {name: a, table: t, rewarm: [{key: 'k:{id}', ttl: 1s, \(loader)}]}\n"
        do {
            _ = try RuleSet.parse(yaml)
            Issue.record("was accepted")
        } catch {
            #expect(error.diagnostics.count == 1)
            #expect(error.diagnostics.contains { $0.description.contains(message) }, "\(error.diagnostics)")
        }
    }

    private struct Missing: Error {}
}
