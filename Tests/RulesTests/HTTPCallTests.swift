import FoundationEssentials
import Rules
import Testing

@Suite struct HTTPCallTests {
    @Test func isTextThatPeopleCanRead() throws {
        let call = HTTPCall(
            url: Array("http://127.0.0.1:8000/a?b=c".utf8),
            headers: [.init(name: "X-B", value: Array("1".utf8)), .init(name: "X-A", value: Array("J\u{f6}rg".utf8))])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(call), as: UTF8.self)
        #expect(
            text == """
                {"headers":[{"name":"X-B","value":"1"},{"name":"X-A","value":"J\u{f6}rg"}],\
                "url":"http://127.0.0.1:8000/a?b=c"}
                """)
        #expect(try JSONDecoder().decode(HTTPCall.self, from: Data(text.utf8)) == call)
    }
}
