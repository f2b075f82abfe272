import FoundationEssentials
import Testing

@testable import Rules

/// Calls that wait among the dead letters until a worker, perhaps with other rules, tries them again.
@Suite struct RewarmRecordTests {
    private func rules(_ rewarm: String) throws -> Capture {
        try Capture("  - {name: r, table: t, rewarm: [{key: \"k:{id}\", ttl: 1m, \(rewarm)}]}")
    }

    /// The call of a change under some rules, as others find it.
    private func recall(_ rewarm: String, under later: String) throws -> RewarmCall? {
        let before = try rules(rewarm)
        let row = ["id": "5", "name": "n", "token": "t"]
        let call = try #require(before.plan(before.change(.insert, new: row)).rewarms.first)
        let text = try JSONEncoder().encode(call.record(before.rules.rules))
        #expect(!String(decoding: text, as: UTF8.self).contains("secret"))
        let record = try JSONDecoder().decode(RewarmCall.Record.self, from: text)
        let recalled = try rules(later).planner.call(record, ofRule: 0)
        if rewarm == later { #expect(recalled?.input == call.input && recalled?.key == call.key) }
        return recalled
    }

    @Test(arguments: [
        "sql: \"select :id, :name\"", "http: {url: \"http://h/{id}?{name}\"}",
        "http: {url: \"http://h/{id}\", headers: {A: secret, B: \"x {token}\", C: \"secret\"}}",
        "http: {url: \"http://h/\"}",
    ])
    func sameRules(rewarm: String) throws {
        #expect(try recall(rewarm, under: rewarm) != nil)
    }

    /// What is no text, as in the rows of a database whose encoding is SQL_ASCII, must not become something else.
    @Test(arguments: ["sql: \"select :id\"", "http: {url: \"http://h/\", headers: {A: \"{id}\"}}"])
    func anyBytesComeBackAsTheyWere(rewarm: String) throws {
        let capture = try rules(rewarm)
        let value: [UInt8] = [0x61, 0, 0xff]
        let image = Image(capture.manifest.columns.map { _ in value as [UInt8]? })
        let change = Change(capture: 1, kind: .insert, fired: 1, new: image)
        let call = try #require(capture.plan(change).rewarms.first)
        let text = try JSONEncoder().encode(call.record(capture.rules.rules))
        let record = try JSONDecoder().decode(RewarmCall.Record.self, from: text)
        let recalled = capture.planner.call(record, ofRule: 0)
        #expect(recalled?.input == call.input && recalled?.key == Key(bytes: Array("k:".utf8) + value))
        #expect(!String(decoding: text, as: UTF8.self).contains("\\u0000"), "Postgres refuses it")
    }

    /// A value must not be bound as another column's.
    @Test(arguments: [
        ("sql: \"select :id, :name\"", "sql: \"select :name, :id\""),
        ("sql: \"select 1 where :id is null\"", "sql: \"select 1 where :name is null\""),
        ("sql: \"select 1 where :id is null\"", "sql: \"select 1 where :new.id is null\""),
        ("sql: \"select :id\"", "http: {url: \"http://h/{id}\"}"),
        ("http: {url: \"http://h/{id}\"}", "sql: \"select :id\""),
        ("http: {url: \"http://h/{id}\"}", "http: {url: \"http://other/{id}\"}"),
        ("http: {url: \"http://h/a/{id}\"}", "http: {url: \"http://h/b/{id}\"}"),
        (
            "http: {url: \"http://h/{id}\"}",
            "http: {url: \"http://h/{id}\", headers: {A: \"{token}\"}}"
        ),
        (
            "http: {url: \"http://h/{id}\", headers: {A: \"a {token}\"}}",
            "http: {url: \"http://h/{id}\", headers: {A: \"b {token}\"}}"
        ),
    ])
    func otherRules(rewarm: String, later: String) throws {
        #expect(try recall(rewarm, under: later) == nil)
    }

    /// What the rules say without a row, they say anew.
    @Test func fixedHeadersAreTodays() throws {
        let call = try recall(
            "http: {url: \"http://h/{id}\", headers: {A: \"secret 1\", B: \"{token}\"}}",
            under: "http: {url: \"http://h/{id}\", headers: {B: \"{token}\", A: \"secret 2\"}}")
        guard case .http(let request) = call?.input else {
            Issue.record("no request")
            return
        }
        #expect(
            request.headers.map { "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))" } == ["B=t", "A=secret 2"])
    }
}
