/// A Redis key: bytes, not characters. Two spellings of é that Swift calls equal are two keys to Redis.
public struct Key: Hashable, Sendable, CustomStringConvertible {
    /// What is sent to Redis.
    public var bytes: [UInt8]

    /// The key with these bytes.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// The key with the UTF-8 of this text.
    public init(_ text: String) { bytes = Array(text.utf8) }

    /// By all bytes at once: an array hashes them one by one.
    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    /// The key as text, for people: what is not UTF-8 is replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
