import Redis
import Rules

/// The token beside a key that keeps a reader from storing what it read before the last change.
///
/// A reader that misses takes the token before it loads, and makes one where there is none. It stores what it has
/// loaded only if the token is still there and the same. Whoever makes the entry stale sets another token first.
/// So whatever was read before a change is never stored after it, and a token that has expired or was evicted
/// costs a load and nothing else.
enum Fence {
    /// How long a token lives: longer than any load that is worth storing.
    static let lifetime = Duration.seconds(60)

    private static let px = Array("PX".utf8)
    private static let milliseconds = Array("\(Int64(lifetime / .milliseconds(1)))".utf8)

    /// 128 bits in hexadecimal.
    static let tokenLength = 32
    /// What a token's name has before the key's.
    static let prefix = Array("unstale:fence:".utf8)

    /// Where a key's token is.
    static func key(of key: Key) -> Key { Key(bytes: prefix + key.bytes) }

    /// The key whose token is at `fence`; nil: it is no fence.
    static func key(behind fence: [UInt8]) -> Key? {
        fence.starts(with: prefix) ? Key(bytes: Array(fence.dropFirst(prefix.count))) : nil
    }

    /// A token that no other is equal to: random bits in hexadecimal.
    static func token(using random: inout some RandomNumberGenerator) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return (0..<tokenLength).map { _ in digits[Int.random(in: 0..<16, using: &random)] }
    }

    /// The command that puts a token in the place of a key's last one, and so keeps all from storing who took that.
    ///
    /// - Parameter onlyIfTaken: Where there is none, make none: whoever keeps to the protocol has not read yet.
    static func renewal(of key: Key, token: [UInt8], onlyIfTaken: Bool = false) -> RedisCommand {
        let condition = onlyIfTaken ? [Array("XX".utf8)] : []
        return RedisCommand("SET", [Self.key(of: key).bytes, token, px, milliseconds] + condition)
    }
}
