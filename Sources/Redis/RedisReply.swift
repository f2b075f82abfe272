/// What Redis answered to one command. Strings are bytes: a key need not be UTF-8.
public enum RedisReply: Hashable, Sendable {
    /// `+OK` and its like.
    case simpleString(String)
    /// The command failed; the others of its pipeline are not affected.
    case error(RedisErrorReply)
    /// An integer.
    case integer(Int)
    /// A binary-safe string.
    case bulk([UInt8])
    /// There is no such value.
    case null
    /// Several replies, at most seven levels deep.
    case array([RedisReply])
    /// What would be an array of one string or more and nothing else, where that was asked for: see
    /// ``RedisConnectionOptions/packsStrings``.
    case strings(RedisStrings)

    /// The text of a simple or binary-safe string, what is not UTF-8 replaced; nil for anything else.
    public var text: String? {
        switch self {
        case .simpleString(let text): text
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }
}
