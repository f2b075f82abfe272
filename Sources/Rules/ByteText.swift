import FoundationEssentials

/// Bytes that are text as a rule, as JSON has them: a string, or where they are no UTF-8 or have a NUL in them, which
/// Postgres' JSON can't hold, an object with them in Base64.
public struct ByteText: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The bytes.
    public var bytes: [UInt8]

    /// The text with these bytes.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    private enum CodingKeys: String, CodingKey { case base64 }

    /// Reads a text.
    public init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            bytes = Array(text.utf8)
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let base64 = try container.decode(String.self, forKey: .base64)
        guard let data = Data(base64Encoded: base64) else {
            throw DecodingError.dataCorruptedError(forKey: .base64, in: container, debugDescription: "no Base64")
        }
        bytes = Array(data)
    }

    /// Writes a text.
    public func encode(to encoder: any Encoder) throws {
        if !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) {
            var container = encoder.singleValueContainer()
            try container.encode(text)
        } else {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Data(bytes).base64EncodedString(), forKey: .base64)
        }
    }

    /// The text, for people: what is not UTF-8 is replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// A key as ``ByteText``.
extension Key: Codable {
    /// Reads a key.
    public init(from decoder: any Decoder) throws { self.init(bytes: try ByteText(from: decoder).bytes) }

    /// Writes a key.
    public func encode(to encoder: any Encoder) throws { try ByteText(bytes: bytes).encode(to: encoder) }
}
