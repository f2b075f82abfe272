/// A glob over keys, as Redis reads it.
public struct Pattern: Hashable, Sendable, CustomStringConvertible {
    /// The glob: what `SCAN MATCH` would be given.
    public let bytes: [UInt8]

    /// The pattern with these bytes.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// The pattern with the UTF-8 of this text.
    public init(_ text: String) { self.init(bytes: Array(text.utf8)) }

    /// By all bytes at once: an array hashes them one by one.
    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    /// The bytes that every key it matches begins with.
    public var literalPrefix: [UInt8] {
        tokens.prefix { if case .byte = $0 { true } else { false } }
            .compactMap { if case .byte(let byte) = $0 { byte } else { nil } }
    }

    /// The only key that it matches, if it has no wildcard.
    public var exactKey: Key? {
        let literal = literalPrefix
        return literal.count == tokens.count ? Key(bytes: literal) : nil
    }

    /// Whether it has no wildcard, so that it matches one key.
    public var isExact: Bool { exactKey != nil }

    /// The pattern as text, for people: what is not UTF-8 is replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// The glob that matches exactly these bytes.
    public static func escape(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var escaped: [UInt8] = []
        for byte in bytes { appendEscaped(byte, to: &escaped) }
        return escaped
    }

    var tokens: [GlobToken] { GlobLexer(bytes).tokens }

    @inline(__always)
    static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
        default: break
        }
        bytes.append(byte)
    }
}
