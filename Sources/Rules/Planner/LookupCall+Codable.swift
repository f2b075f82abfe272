/// A call as text, in a form that people can read too. The rule is left out: its number means nothing to another
/// process.
extension LookupCall: Codable {
    private enum CodingKeys: String, CodingKey { case parameters, old, new }

    /// Reads a call; its rule is to be set by `of(rule:)`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func bytes(_ texts: [ByteText?]) -> [[UInt8]?] { texts.map { $0?.bytes } }
        self.init(
            rule: -1, parameters: bytes(try container.decode([ByteText?].self, forKey: .parameters)),
            old: try container.decodeIfPresent([ByteText?].self, forKey: .old).map(bytes),
            new: try container.decodeIfPresent([ByteText?].self, forKey: .new).map(bytes))
    }

    /// Writes a call.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func texts(_ values: [[UInt8]?]) -> [ByteText?] { values.map { $0.map { ByteText(bytes: $0) } } }
        try container.encode(texts(parameters), forKey: .parameters)
        try container.encodeIfPresent(old.map(texts), forKey: .old)
        try container.encodeIfPresent(new.map(texts), forKey: .new)
    }

    /// The same call for the rule with this number.
    public func of(rule: Int) -> LookupCall {
        LookupCall(rule: rule, parameters: parameters, old: old, new: new)
    }
}
