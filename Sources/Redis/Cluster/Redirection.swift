/// A Cluster server's word that a slot is elsewhere (redis.io, Redis cluster specification, MOVED and ASK redirection).
public enum Redirection: Hashable, Sendable {
    /// For good.
    case moved(RedisSlot, RedisURL.Address)
    /// For this one command, which has to come behind an ASKING: the slot is on its way there.
    case ask(RedisSlot, RedisURL.Address)

    /// Where to.
    public var address: RedisURL.Address {
        switch self {
        case .moved(_, let address), .ask(_, let address): address
        }
    }

    /// Reads `MOVED 3999 127.0.0.1:6381`; nil: the error is another. A server that doesn't know by which name it is
    /// reached leaves the host out, and means the one that was asked.
    public init?(_ error: RedisErrorReply, askedAt asked: RedisURL.Address) {
        let words = error.text.split(separator: " ")
        guard words.count == 3, words[0] == "MOVED" || words[0] == "ASK", let number = Int(words[1]),
            (0..<RedisSlot.count).contains(number), let colon = words[2].lastIndex(of: ":"),
            let port = Int(words[2][words[2].index(after: colon)...]), (1...65535).contains(port),
            let address = RedisURL.Address(host: String(words[2][..<colon]), port: port, askedAt: asked)
        else { return nil }
        let slot = RedisSlot(number)
        self = words[0] == "MOVED" ? .moved(slot, address) : .ask(slot, address)
    }
}

extension RedisURL.Address {
    /// An address as a Cluster tells it, whose host may be missing; nil where nobody can tell which it is.
    init?(host: String, port: Int, askedAt asked: RedisURL.Address) {
        if !host.isEmpty, host != "?" {
            self = .tcp(host: host, port: port)
        } else if case .tcp(let host, _) = asked {
            self = .tcp(host: host, port: port)
        } else {
            return nil
        }
    }
}
