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
