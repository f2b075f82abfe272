import FoundationEssentials
import TestSupport
import Testing

@testable import Capture

/// Payloads as JSON, without a database.
@Suite struct JSONTextTests {
    private func json(_ text: String) -> JSONText? { JSONText(Array(text.utf8)) }

    @Test func pathsFindValuesAsTheyAreWritten() throws {
        let text = try #require(
            json(#" {"a": {"b" : [1, {"c": "}"}], "n": 12345678901234567890.10}, "s": "x", "z": null, "s": "last"} "#))
        let payload = try #require(text.object)
        func value(_ path: String) -> String? {
            JSONPath(path)?.value(in: payload).map { String(decoding: $0.bytes, as: UTF8.self) }
        }
        #expect(value("$.a.b") == #"[1, {"c": "}"}]"#)
        #expect(value("$.a.n") == "12345678901234567890.10")
        #expect(value("$.s") == #""last""#)
        for nothing in ["$.z", "$.x", "$.a.x", "$.s.b", "$.a.b.c"] { #expect(value(nothing) == nil, "\(nothing)") }
        #expect(JSONPath("$")?.value(in: payload) == text)
        for noPath in ["", "a", "$a", "$.", "$..a", ".a", "$.a."] { #expect(JSONPath(noPath) == nil, "\(noPath)") }
        #expect(JSONPath("$.a.b")?.description == "$.a.b")
    }

    @Test(arguments: [
        (#""""#, ""), (#""é\u00e9\n\/\\""#, "éé\n/\\"), (#""\ud83d\ude00\"""#, "😀\""),
        (#""public.users""#, "public.users"),
    ]) func strings(text: String, string: String) { #expect(json(text)?.string == string) }

    @Test(arguments: [#""\ud83d""#, #""\u12""#, #""\x""#, "1", "{}", "null"])
    func noStrings(text: String) { #expect(json(text)?.string == nil) }

    @Test(arguments: [
        "", " ", "{", "}", "{]", "[}", "{} {}", "\"", "\"\\", "\"a\\\"", "1 2", "{\"a\": \"}", "Users", "a b",
    ])
    func noJSON(text: String) { #expect(json(text) == nil) }

    @Test(arguments: ["[]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{1:2}", "{,}"])
    func noMembers(text: String) { #expect(json(text) != nil && json(text)?.object == nil) }

    /// A payload is of up to 8,000 bytes, and all of them may be brackets.
    @Test func anyNesting() {
        let deep = String(repeating: "[", count: 4_000) + String(repeating: "]", count: 4_000)
        #expect(json(deep) != nil)
        #expect(json(String(repeating: "{\"a\":", count: 1_500)) == nil)
    }

    /// What Foundation writes is found by its path, and reads the same.
    @Test func randomObjects() throws {
        var random = SeededGenerator()
        for _ in 1...300 {
            let object = RandomJSON.object(using: &random)
            let payload = try #require(json(object.text(using: &random))?.object)
            #expect(payload.members.map(\.name) == object.members.map(\.name))
            for (name, value) in object.members {
                let found = try #require(payload[name])
                #expect(RandomJSON.plain(found.bytes) == RandomJSON.plain(Array(value.utf8)[...]))
            }
        }
    }

    /// Whatever the bytes are, and wherever a text is cut, nothing is read out of bounds.
    @Test func randomBytes() throws {
        var random = SeededGenerator()
        let alphabet = Array("{}[]\":,\\u0n1 e\u{e9}.-".utf8)
        for _ in 1...20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? alphabet.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
            }
            guard let value = JSONText(bytes) else { continue }
            _ = value.string
            for member in value.object?.members ?? [] { _ = member.value.object }
        }
    }
}

/// Random JSON, and how it was made.
struct RandomJSON {
    var members: [(name: String, value: String)]

    static func object(using random: inout SeededGenerator) -> RandomJSON {
        let count = Int.random(in: 0...5, using: &random)
        return RandomJSON(
            members: (0..<count).map { ("n\($0)" + word(using: &random), value(depth: 3, using: &random)) })
    }

    /// With white space where it may be.
    func text(using random: inout SeededGenerator) -> String {
        let body = members.map { member in
            let space = [" ", "", "\n\t"].randomElement(using: &random) ?? ""
            return "\(space)\(Self.quoted(member.name))\(space):\(space)\(member.value)\(space)"
        }
        return "{\(body.joined(separator: ","))}"
    }

    /// Without white space outside of strings, for comparing.
    static func plain(_ bytes: ArraySlice<UInt8>) -> [UInt8] { bytes.filter { $0 != 0x20 } }

    static func value(depth: Int, using random: inout SeededGenerator) -> String {
        switch Int.random(in: 0...(depth > 0 ? 7 : 5), using: &random) {
        case 0: "null"
        case 1: "true"
        case 2: "-\(UInt64.random(in: 0 ... .max, using: &random)).\(UInt8.random(in: 0...99, using: &random))e-7"
        case 3...5: quoted(word(using: &random))
        case 6:
            "[\((0...2).map { _ in value(depth: depth - 1, using: &random) }.joined(separator: ","))]"
        default:
            "{" + (0...2).map { "\"k\($0)\":\(value(depth: depth - 1, using: &random))" }.joined(separator: ",") + "}"
        }
    }

    private static func word(using random: inout SeededGenerator) -> String {
        let letters = Array("ab{}[]\",:\\\n😀é")
        return String(
            (0..<Int.random(in: 0...6, using: &random)).compactMap { _ in letters.randomElement(using: &random) })
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") + "\""
    }
}
