import FoundationEssentials
import Hummingbird
import NIOCore
import Rules

/// `/`: a page that lies in the program, and what a browser may do with it.
struct StatusPage {
    private let body: ByteBuffer
    private let policy: String

    /// The page that is built in. Its own style and script are let in by their hashes, and nothing else is.
    init(_ html: [UInt8] = PackageResources.index_html) {
        body = ByteBuffer(bytes: html)
        let text = String(decoding: html, as: UTF8.self)
        let style = Self.sources("style", Self.contents(of: "style", in: text))
        let script = Self.sources("script", Self.contents(of: "script", in: text))
        policy =
            "default-src 'none'; \(style); \(script); connect-src 'self'; img-src data:; base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'none'"
    }

    var response: Response {
        Response(
            status: .ok, headers: [.contentType: "text/html; charset=utf-8", .contentSecurityPolicy: policy],
            body: ResponseBody(byteBuffer: body))
    }

    private static func sources(_ kind: String, _ contents: [Substring]) -> String {
        let hashes = contents.map { "'sha256-\(Data(SHA256.digest(Array($0.utf8))).base64EncodedString())'" }
        return "\(kind)-src " + (hashes.isEmpty ? "'none'" : hashes.joined(separator: " "))
    }

    /// What stands between `<name …>` and `</name>`, each time.
    static func contents(of name: String, in html: String) -> [Substring] {
        var contents: [Substring] = []
        var rest = html[...]
        while let start = rest.firstRange(of: "<\(name)") {
            rest = rest[start.upperBound...]
            guard let open = rest.firstIndex(of: ">") else { break }
            rest = rest[rest.index(after: open)...]
            guard let end = rest.firstRange(of: "</\(name)>") else { break }
            contents.append(rest[..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        return contents
    }
}
