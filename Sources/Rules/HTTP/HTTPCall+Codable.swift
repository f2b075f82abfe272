/// A call as text, in a form that people can read too.
extension HTTPCall: Codable {
    private enum CodingKeys: String, CodingKey { case url, headers }

    /// Reads a call.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            url: Array(try container.decode(String.self, forKey: .url).utf8),
            headers: try container.decode([Header].self, forKey: .headers))
    }

    /// Writes a call.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(String(decoding: url, as: UTF8.self), forKey: .url)
        try container.encode(headers, forKey: .headers)
    }
}

extension HTTPCall.Header: Codable {
    private enum CodingKeys: String, CodingKey { case name, value }

    /// Reads a header.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try container.decode(String.self, forKey: .name),
            value: Array(try container.decode(String.self, forKey: .value).utf8))
    }

    /// Writes a header.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(String(decoding: value, as: UTF8.self), forKey: .value)
    }
}
