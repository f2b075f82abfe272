import Testing

@testable import Rules

/// Loaders that are given what the entry's key doesn't say. Changes come in the order of their transactions' numbers and
/// not of their commits, so of two that disagree neither is loaded.
@Suite struct RewarmOrderTests {
    private static let sql = "sql: \"select name from teams where id = :team\""
    private static let http = "http: {url: \"http://h/teams/{team}\"}"

    private func rules(_ loader: String = Self.sql, more: String = "") throws -> Capture {
        try Capture(
            """
              - name: r
                table: users
                rewarm: [{key: "user:{id}:team", \(loader), ttl: 1h}]
                \(more)
            """)
    }

    private func row(_ team: String?, id: String = "1") -> [String: String?] { ["id": id, "team": team] }

    /// What the loads are given, by their keys.
    private func loads(_ plan: Plan) -> [String: String?] {
        Dictionary(
            plan.rewarms.map { call -> (String, String?) in
                guard case .http(let request) = call.input else {
                    return (call.key.description, call.parameters[0].map { String(decoding: $0, as: UTF8.self) })
                }
                return (call.key.description, String(decoding: request.url, as: UTF8.self))
            }
        ) { $1 }
    }

    /// Of one change it is known which image is the later.
    @Test func theNewRowCounts() throws {
        let rules = try rules()
        let plan = rules.plan(rules.change(.update, old: row("5"), new: row("6")))
        #expect(loads(plan) == ["user:1:team": "6"] && plan.keys.isEmpty)
    }

    @Test func aNullInTheNewRow() throws {
        let rules = try rules(Self.http)
        let left = rules.change(.update, old: row("5"), new: row(nil))
        #expect(loads(rules.plan(left)).isEmpty)
        #expect(rules.plan(left).keyTexts == ["user:1:team"])
        #expect(rules.plan(left).work.fencedKeys == [Key("user:1:team")])
        // The other way round there was nothing before that could be stored.
        let joined = rules.change(.update, old: row(nil), new: row("5"))
        #expect(loads(rules.plan(joined)) == ["user:1:team": "http://h/teams/5"])
        #expect(rules.plan(joined).keys.isEmpty)
    }

    @Test func aNullInAnotherChange() throws {
        let rules = try rules(Self.http)
        let joined = rules.change(.insert, new: row("5"))
        let left = rules.change(.update, old: row("6"), new: row(nil))
        for plan in [rules.plan(joined, left), rules.plan(left, joined), rules.plan(joined, left, joined)] {
            #expect(loads(plan).isEmpty)
            #expect(plan.keyTexts == ["user:1:team"] && plan.work.disputedKeys == [Key("user:1:team")])
        }
    }

    @Test func twoChangesThatDisagree() throws {
        let rules = try rules()
        let changes = ["5", "6", "6"].map { rules.change(.insert, new: row($0)) }
        let others = ["2", "3"].map { rules.change(.insert, new: row("7", id: $0)) }
        let plan = rules.planner.plan([changes[0], others[0], changes[1], others[1], changes[2], others[0]])
        #expect(loads(plan) == ["user:2:team": "7", "user:3:team": "7"])
        #expect(plan.keyTexts == ["user:1:team"] && plan.work.fencedKeys == [Key("user:1:team")])
        #expect(plan.work.disputedKeys == [Key("user:1:team")])
        // One that agrees with one of them doesn't know better, from whichever plan it comes.
        var merged = rules.plan(changes[0])
        merged.merge(rules.plan(others[0]))
        merged.merge(rules.plan(changes[1], changes[2]))
        #expect(loads(merged) == ["user:2:team": "7"] && merged.keyTexts == ["user:1:team"])
        merged = rules.plan(changes[0], changes[1])
        merged.merge(rules.plan(changes[0]))
        #expect(loads(merged).isEmpty && merged.work.disputedKeys == [Key("user:1:team")])
        merged = rules.plan(changes[0])
        merged.merge(rules.plan(changes[0], changes[1]))
        #expect(loads(merged).isEmpty && merged.work.disputedKeys == [Key("user:1:team")])
    }

    @Test func changesThatAgree() throws {
        let rules = try rules()
        let change = rules.change(.insert, new: row("5"))
        let renamed = rules.change(.update, old: row("5"), new: row("5"))
        #expect(loads(rules.plan(change, renamed)) == ["user:1:team": "5"])
        #expect(rules.plan(change, renamed).keys.isEmpty)
    }

    /// What another rule deletes is loaded as before.
    @Test func anotherRulesDelete() throws {
        let rules = try Capture(
            """
              - {name: r, table: users, rewarm: [{key: "user:{id}:team", \(Self.sql), ttl: 1h}]}
              - {name: other, table: users, delete: {keys: ["user:{id}:team"]}}
            """)
        let plan = rules.plan(rules.change(.update, old: row("5"), new: row("6")))
        #expect(loads(plan) == ["user:1:team": "6"] && plan.work.disputedKeys.isEmpty)
    }

    /// One loader that reads by the key is right whatever others were told to read.
    @Test func aLoaderThatGoesByTheKey() throws {
        let loaders = [Self.sql, "sql: \"select team from users where id = :id\""]
        for order in [loaders, loaders.reversed()] {
            let rules = try Capture(
                order.enumerated().map { number, loader in
                    "  - {name: r\(number), table: users, rewarm: [{key: \"user:{id}:team\", \(loader), ttl: 1h}]}"
                }.joined(separator: "\n"))
            let plan = rules.plan(
                rules.change(.insert, new: row("5")), rules.change(.update, old: row("5"), new: row("6")))
            #expect(loads(plan) == ["user:1:team": "1"])
        }
    }

    /// By then newer changes may have come.
    @Test func whatComesLateDeletes() throws {
        let rules = try rules(more: "repeat_after: [1s]")
        let plan = rules.plan(rules.change(.insert, new: row("5")))
        let repeated = try #require(plan.repeats[.seconds(1)])
        #expect(repeated.rewarms.isEmpty && repeated.keys.map(\.key) == [Key("user:1:team")])
        #expect(repeated.fencedKeys == [Key("user:1:team")])
        let record = try #require(plan.rewarms.first).record(rules.rules.rules)
        let recalled = try #require(rules.planner.call(record, ofRule: 0))
        let again = rules.planner.plan(retrying: recalled)
        #expect(again.rewarms.isEmpty && again.keyTexts == ["user:1:team"])
        #expect(again.work.fencedKeys == [Key("user:1:team")])
    }

    @Test(arguments: [
        ("k:{id}", "sql: \"select :id\"", true),
        ("k:{id}", "sql: \"select 1\"", true),
        ("k:{id}:{b}", "sql: \"select :b, :id\"", true),
        ("k:{id|md5}", "sql: \"select :id\"", true),
        ("k:{id}", "http: {url: \"http://h/{id|lower}\", headers: {A: \"fixed\"}}", true),
        ("k:{new.id}", "sql: \"select :new.id\"", true),
        ("k", "http: {url: \"http://h/\"}", true),
        ("k:{id}", "sql: \"select :id, :b\"", false),
        ("k:{id|lower}", "sql: \"select :id\"", false),
        ("k:{id|default:none}", "sql: \"select :id\"", false),
        ("k:{id}", "sql: \"select :new.id\"", false),
        ("k", "sql: \"select :id\"", false),
        ("k:{id}", "http: {url: \"http://h/{id}\", headers: {A: \"{b}\"}}", false),
    ])
    func whatTheKeySays(key: String, loader: String, isKeyed: Bool) throws {
        let rules = try Capture("  - {name: r, table: t, rewarm: [{key: \"\(key)\", \(loader), ttl: 1h}]}")
        let row = ["id": "1", "b": "2"]
        let plan = rules.plan(rules.change(.insert, new: row))
        #expect(plan.rewarms.map(\.isKeyed) == [isKeyed])
    }
}
