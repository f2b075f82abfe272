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

    /// Whether a key is a token.
    static func isFence(_ key: [UInt8]) -> Bool { key.starts(with: prefix) }

    /// A token that no other is equal to: random bits in hexadecimal.
    static func token(using random: inout some RandomNumberGenerator) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return (0..<tokenLength).map { _ in digits[Int.random(in: 0..<16, using: &random)] }
    }

    /// The command that puts a token in the place of the last one, and so keeps all from storing who took that.
    ///
    /// - Parameters:
    ///   - fence: Where the token is.
    ///   - onlyIfTaken: Where there is none, make none: whoever keeps to the protocol has not read yet.
    static func renewal(at fence: Key, token: [UInt8], onlyIfTaken: Bool = false) -> RedisCommand {
        let condition = onlyIfTaken ? [Array("XX".utf8)] : []
        return RedisCommand("SET", [fence.bytes, token, px, milliseconds] + condition)
    }
}

extension CompanionName {
    /// Where a key's token is; nil: it can have none.
    func fence(of key: Key) -> Key? { name(Fence.prefix, of: key) }
}
