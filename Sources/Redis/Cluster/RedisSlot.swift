/// The part of a Cluster's keyspace that a key is in: CRC16 (XMODEM) of its hash tag, or else of the whole key, modulo
/// 16384 (redis.io, Redis cluster specification, Key distribution model).
public struct RedisSlot: Hashable, Sendable, Comparable {
    /// How many slots there are.
    public static let count = 16_384

    /// Its number.
    public let number: Int

    /// The slot with this number, below ``count``.
    public init(_ number: Int) { self.number = number }

    /// The slot of a key.
    public init(of key: some Collection<UInt8>) {
        let hashed: any Collection<UInt8> = Self.hashTag(of: key) ?? key[...]
        number = Int(Self.crc16(hashed)) % Self.count
    }

    /// By their numbers.
    public static func < (one: RedisSlot, other: RedisSlot) -> Bool { one.number < other.number }

    /// What stands between the first `{` and the first `}` behind it, unless that is nothing; nil: there is no such.
    public static func hashTag<Bytes: Collection<UInt8>>(of key: Bytes) -> Bytes.SubSequence? {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return nil }
        let rest = key[key.index(after: open)...]
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")), close != rest.startIndex else { return nil }
        return rest[..<close]
    }

    private static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { crc, byte in crc << 8 ^ table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ byte)] }
    }

    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { crc, _ in crc & 0x8000 != 0 ? crc << 1 ^ 0x1021 : crc << 1 }
    }
}
