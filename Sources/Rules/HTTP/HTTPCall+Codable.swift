/// A call as text, in a form that people can read too.
extension HTTPCall: Codable {
    private enum CodingKeys: String, CodingKey { case url, headers }

    /// Reads a call.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            url: try container.decode(ByteText.self, forKey: .url).bytes,
            headers: try container.decode([Header].self, forKey: .headers))
    }

    /// Writes a call.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(ByteText(bytes: url), forKey: .url)
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
            value: try container.decode(ByteText.self, forKey: .value).bytes)
    }

    /// Writes a header.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(ByteText(bytes: value), forKey: .value)
    }
}
