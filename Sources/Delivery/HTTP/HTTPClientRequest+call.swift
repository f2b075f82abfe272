import AsyncHTTPClient
import NIOHTTP1
import Rules

extension HTTPClientRequest {
    /// The request of a call to `url`. Throws where a header could become more than one header.
    init(_ call: HTTPCall, to url: HTTPURL) throws(HTTPFailure) {
        self.init(url: url.text)
        for header in call.headers { headers.add(name: header.name, value: try Self.checkedValue(of: header)) }
        if !headers.contains(name: "user-agent") { headers.add(name: "User-Agent", value: "unstale") }
    }

    private static func checkedValue(of header: HTTPCall.Header) throws(HTTPFailure) -> String {
        guard HTTPCall.Header.isName(header.name) else {
            throw HTTPFailure("a header's name has a character that no header's name may have")
        }
        guard !header.value.contains(where: { $0 < 32 && $0 != 9 || $0 == 127 }) else {
            throw HTTPFailure("the value of the header \(header.name) has a line break or another control character")
        }
        guard let value = String(validating: header.value, as: UTF8.self) else {
            throw HTTPFailure("the value of the header \(header.name) isn't UTF-8")
        }
        return value
    }
}
