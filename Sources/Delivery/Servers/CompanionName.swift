import Redis
import Rules

/// What keys of our own are called that go with an application's key. One server must have both.
struct CompanionName: Sendable {
    /// Whether servers have slots, so that the name has to lead to the key's.
    let sharesSlot: Bool

    /// `PREFIX` and the key. In a Cluster a key that has no hash tag becomes one: `PREFIX{KEY}`. Nil where that can't be
    /// done, for a key without a hash tag that has a `}` in it.
    func name(_ prefix: [UInt8], of key: Key) -> Key? {
        guard sharesSlot, RedisSlot.hashTag(of: key.bytes) == nil else { return Key(bytes: prefix + key.bytes) }
        guard !key.bytes.isEmpty, !key.bytes.contains(UInt8(ascii: "}")) else { return nil }
        return Key(bytes: prefix + [UInt8(ascii: "{")] + key.bytes + [UInt8(ascii: "}")])
    }

    /// The keys that may be behind a name: two where `{KEY}` could be either.
    func keys(behind name: [UInt8], _ prefix: [UInt8]) -> [Key] {
        guard name.starts(with: prefix) else { return [] }
        let rest = name.dropFirst(prefix.count)
        let whole = Key(bytes: Array(rest))
        guard sharesSlot, rest.first == UInt8(ascii: "{"), rest.last == UInt8(ascii: "}") else { return [whole] }
        let inner = Key(bytes: Array(rest.dropFirst().dropLast()))
        return self.name(prefix, of: inner)?.bytes == name ? [whole, inner] : [whole]
    }
}
