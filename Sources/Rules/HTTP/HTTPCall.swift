/// A request for an entry's new value, its templates filled.
public struct HTTPCall: Hashable, Sendable {
    /// A header that goes with a request.
    public struct Header: Hashable, Sendable {
        /// Its name, as the rules file has it.
        public var name: String
        /// Its value.
        public var value: [UInt8]

        /// A header with this value.
        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }

        /// Whether a header field can have this name: a token of RFC 9110, 5.6.2.
        package static func isName(_ text: String) -> Bool {
            !text.isEmpty
                && text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"):
                        true
                    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                    }
                }
        }
    }

    /// The URL, percent-encoded.
    public var url: [UInt8]
    /// The headers that the rule asks for, in its order.
    public var headers: [Header]

    /// A request for this URL.
    public init(url: [UInt8], headers: [Header] = []) {
        self.url = url
        self.headers = headers
    }
}
