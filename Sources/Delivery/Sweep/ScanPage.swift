import Redis
import Rules

/// What one SCAN returned.
struct ScanPage {
    /// Where to go on; `0` is the end.
    let cursor: [UInt8]
    let keys: RedisStrings

    /// Nil when the reply is not a page, for example an error.
    init?(_ reply: RedisReply) {
        guard case .array(let parts) = reply, parts.count == 2, case .bulk(let cursor) = parts[0] else { return nil }
        self.cursor = cursor
        switch parts[1] {
        case .strings(let keys): self.keys = keys
        case .array(let keys):
            self.keys = RedisStrings(keys.compactMap { if case .bulk(let key) = $0 { key } else { nil } })
        default: return nil
        }
    }

    /// What asks for the page at a cursor: of all keys, or those that a pattern matches.
    static func command(from cursor: [UInt8], count: Int, matching pattern: Pattern?) -> RedisCommand {
        var scan = RedisCommand("SCAN", [cursor, Array("COUNT".utf8), Array("\(count)".utf8)])
        if let pattern {
            scan.append(Array("MATCH".utf8))
            scan.append(pattern.bytes)
        }
        return scan
    }

    /// The cursor that begins a pass and that ends it.
    static let edge: [UInt8] = [UInt8(ascii: "0")]
}
