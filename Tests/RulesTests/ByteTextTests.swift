import FoundationEssentials
import Rules
import Testing

@Suite struct ByteTextTests {
    private func written(_ texts: [ByteText?]) throws -> String {
        String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
    }

    private func read(_ text: String) throws -> [ByteText?] {
        try JSONDecoder().decode([ByteText?].self, from: Data(text.utf8))
    }

    @Test func isAStringWhereThatHoldsIt() throws {
        let texts = ["", "user:1", "e\u{301}", "\u{1}\n\"", "{\"base64\":1}"].map { ByteText(bytes: Array($0.utf8)) }
        #expect(try written([texts[1], nil]) == #"["user:1",null]"#)
        #expect(try read(try written(texts)) == texts)
    }

    /// The last is UTF-8 by its form, and half of a pair that UTF-8 has no use for.
    @Test(
        arguments: [
            ([0xff], "/w=="), (Array("a}\0b".utf8), "YX0AYg=="), ([0], "AA=="), ([0xed, 0xa0, 0x80], "7aCA"),
        ] as [([UInt8], String)])
    func isBase64Otherwise(bytes: [UInt8], base64: String) throws {
        let text = try written([ByteText(bytes: bytes)]).replacing("\\/", with: "/")
        #expect(text == #"[{"base64":"\#(base64)"}]"#)
        #expect(try read(text) == [ByteText(bytes: bytes)])
    }

    @Test(arguments: ["[1]", "[{}]", #"[{"base64":"?"}]"#, #"[{"base64":1}]"#]) func otherJSONIsNone(text: String) {
        #expect(throws: DecodingError.self) { try read(text) }
    }
}
