import FoundationEssentials
import Rules
import Testing

@testable import Delivery

@Suite struct NewsMessageTests {
    private let time = Date(timeIntervalSince1970: 1_764_183_600.123)

    @Test func isJSONWithWhatThereIs() throws {
        let news = try news(
            """
            delete: {keys: ["k:{id}"], patterns: ["p/{id}*"], tags: ["t:{id}"]}
            bump: [g]
            publish: {channel: c}
            """, "1")
        #expect(
            texts(news) == [
                #"{"at":1764183600.123,"counters":["g"],"keys":["k:1"],"patterns":["p/1*"],"rule":"r","tags":["t:1"]}"#
            ])
    }

    @Test func saysWhenAnyRowMayHaveChanged() throws {
        let news = try news("delete: {keys: ['k:{id}'], tags: ['t:{id}']}\npublish: {channel: c}")
        #expect(texts(news) == [#"{"any":true,"at":1764183600.123,"patterns":["k:*"],"rule":"r"}"#])
    }

    @Test func isOneMessageForSomeHundredKeysInTheirOrder() throws {
        let ids = (0..<1_000).map { "\($0)" }
        let texts = texts(try news("delete: {keys: ['k:{id}']}\npublish: {channel: c}", ids))
        let keys = try texts.map { text in
            try JSONDecoder().decode([String: Value].self, from: Data(text.utf8))["keys"]?.texts ?? []
        }
        #expect(keys.map(\.count) == [300, 300, 300, 100])
        #expect(keys.flatMap { $0 } == ids.map { "k:\($0)" })
    }

    @Test func largeKeysMakeSmallerMessages() throws {
        let ids = (0..<6).map { String(repeating: "\($0)", count: 1 << 17) }
        #expect(texts(try news("delete: {keys: ['k:{id}']}\npublish: {channel: c}", ids)).count == 3)
    }

    @Test(arguments: [([107, 255], "a/8="), ([107, 0], "awA=")] as [([UInt8], String)])
    func bytesThatAreNoTextAreBase64(key: [UInt8], base64: String) throws {
        let rule = "delete: {keys: ['k:{id}']}\npublish: {channel: c}"
        let news = try planned(rule) { planner in
            planner.plan(deleting: Key(bytes: key), rule: 0)
        }
        #expect(texts(news) == [#"{"at":1764183600.123,"keys":[{"base64":"\#(base64)"}],"rule":"r"}"#])
    }

    @Test func aMessageOfTheRulesOwnIsSentAsItIs() throws {
        let news = try news("delete: {keys: ['k:{id}']}\npublish: {channel: c, message: 'gone {id}'}", ["1", "2", "1"])
        #expect(texts(news) == ["gone 1", "gone 2"])
    }

    @Test func aRuleThatOnlyPublishesSaysThatItFired() throws {
        #expect(texts(try news("publish: {channel: c}", ["1", "2"])) == [#"{"at":1764183600.123,"rule":"r"}"#])
    }

    /// A string, a number or a list.
    private struct Value: Decodable {
        let texts: [String]

        init(from decoder: any Decoder) throws {
            texts = (try? decoder.singleValueContainer().decode([String].self)) ?? []
        }
    }

    private func texts(_ news: News) -> [String] {
        NewsMessage.messages(news, rule: "r", at: time).map { String(decoding: $0, as: UTF8.self) }
    }

    private func news(_ rule: String, _ ids: String...) throws -> News { try news(rule, ids) }

    /// What is told when rows with these ids are inserted; none: when any row may have changed.
    private func news(_ rule: String, _ ids: [String]) throws -> News {
        try planned(rule) { planner in
            planner.plan(
                ids.isEmpty
                    ? [Change(capture: 1, kind: .anyRow, fired: 1)]
                    : ids.map { Change(capture: 1, kind: .insert, fired: 1, new: Image([$0])) })
        }
    }

    private func planned(_ rule: String, _ plan: (Planner) -> Plan) throws -> News {
        let body = rule.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
        let rules = try RuleSet.parse(
            "version: 1\nrules:\n  - name: r\n    table: t\n    where: new.id is not null\n\(body)\n")
        let manifest = Manifest(
            table: TableName(name: "t"), columns: ["id"], conditions: rules.rules.map(\.condition))
        return try #require(plan(Planner(rules: rules.rules, manifests: [1: manifest])).news.first)
    }
}
