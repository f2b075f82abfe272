/// A URL that means the same to everybody who reads it: http or https, a plain host, and not a byte in it that would
/// have to be percent-encoded first.
package struct HTTPURL {
    /// What can't be asked, in one line for people that repeats nothing of the URL.
    package struct Mistake: Error {
        /// The line.
        package let message: String

        init(_ message: String) { self.message = message }
    }

    /// The URL as it was written.
    package let text: String
    /// Host and port, as they are written.
    package let authority: String
    /// How many bytes say whom to ask: scheme, host and port.
    let originLength: Int

    /// Reads a URL.
    package init(_ bytes: [UInt8]) throws(Mistake) {
        try Self.check(bytes)
        text = String(decoding: bytes, as: UTF8.self)
        let start = text.prefix(8).lowercased()
        guard let scheme = ["https://", "http://"].first(where: start.hasPrefix) else {
            throw Mistake("the URL begins neither with http:// nor with https://")
        }
        authority = String(text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" })
        originLength = scheme.utf8.count + authority.utf8.count
        try Self.check(authority: authority)
        // They enclose an address, and would be encoded on the way anywhere else.
        guard !text.utf8.dropFirst(originLength).contains(where: "[]".utf8.contains) else {
            throw Self.unencoded
        }
        let path = text.utf8.dropFirst(originLength).prefix { $0 != UInt8(ascii: "?") }
        guard !Self.hasDotSegment(path) else {
            throw Mistake("the URL has a segment . or .., which could lead anywhere")
        }
    }

    /// Whether a path, as a server may decode it, has a segment that means another one: whoever writes a row must not
    /// choose which of the application's pages is asked.
    private static func hasDotSegment(_ path: Substring.UTF8View) -> Bool {
        var decoded: [UInt8] = []
        var rest = Array(path)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            // Two hexadecimal digits follow, which was checked.
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            decoded.append(UInt8(digits, radix: 16) ?? byte)
            rest = rest.dropFirst(2)
        }
        return decoded.split(whereSeparator: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") })
            .contains { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }
    }

    private static let unencoded = Mistake("the URL has a byte that must be percent-encoded")

    private static func check(_ bytes: [UInt8]) throws(Mistake) {
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "%"):
                let digits = bytes.dropFirst(index + 1).prefix(2)
                guard digits.count == 2, digits.allSatisfy(\.isHexDigit) else {
                    throw Mistake("the URL has a % that two hexadecimal digits don't follow")
                }
            case UInt8(ascii: "#"): throw Mistake("the URL has a fragment, which a server never sees")
            case _ where byte.isAlphanumeric || allowed.contains(byte): continue
            default: throw unencoded
            }
        }
    }

    private static func check(authority: String) throws(Mistake) {
        guard !authority.contains("@") else {
            throw Mistake("the URL has a user name: credentials go into a header")
        }
        let hostEnd =
            authority.hasPrefix("[")
            ? authority.firstIndex(of: "]").map { authority.index(after: $0) } : authority.firstIndex(of: ":")
        let host = authority[..<(hostEnd ?? authority.endIndex)]
        guard isHost(host) else { throw Mistake("the URL has no host that can be asked") }
        let port = authority[host.endIndex...]
        guard port.isEmpty || port.first == ":" && isPort(port.dropFirst()) else {
            throw Mistake("the URL's port is no number between 1 and 65535")
        }
    }

    private static func isHost(_ host: Substring) -> Bool {
        guard host.first == "[" else {
            return !host.isEmpty && host.utf8.allSatisfy { $0.isAlphanumeric || hostMarks.contains($0) }
        }
        let address = host.dropFirst().dropLast()
        return host.last == "]" && address.contains(":") && !address.contains("%") && IPAddress(String(address)) != nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (48...57).contains($0) } && (Int(text).map { (1...65535).contains($0) } ?? false)
    }

    /// What RFC 3986 allows beside letters, digits and percent signs; `#` is handled apart.
    private static let allowed = Set("-._~:/?[]@!$&'()*+,;=".utf8)
    private static let hostMarks = Set("-._".utf8)
}

extension UInt8 {
    fileprivate var isHexDigit: Bool { (48...57).contains(self) || (97...102).contains(self | 32) }
    fileprivate var isAlphanumeric: Bool { (48...57).contains(self) || (97...122).contains(self | 32) }
}
