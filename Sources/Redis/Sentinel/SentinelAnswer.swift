/// What a Sentinel says of a master.
struct SentinelAnswer: Hashable, Sendable {
    /// Where the master is: as the Sentinel knows it, a name or an address.
    var master: RedisURL.Address
    /// How new this is: it grows with every failover (`config-epoch`); 0 where the Sentinel doesn't say.
    var epoch: Int

    /// What it is asked, for the master of this name.
    static func questions(about name: String) -> [RedisCommand] {
        [RedisCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), RedisCommand("SENTINEL", "MASTER", name)]
    }

    init(master: RedisURL.Address, epoch: Int) {
        self.master = master
        self.epoch = epoch
    }

    /// Reads the replies to the questions. Throws `refused` with one line when they name no master.
    init(_ replies: [RedisReply], about name: String) throws(RedisError) {
        switch replies.first {
        case .array(let parts)?:
            guard parts.count == 2, let host = parts[0].text, let port = parts[1].text.flatMap({ Int($0) }) else {
                throw Self.nonsense
            }
            master = .tcp(host: host, port: port)
        case .null?: throw RedisError(.refused, "it knows no master '\(name)'")
        case .error(let refusal)? where refusal.text.hasPrefix("ERR unknown command"):
            throw RedisError(.refused, "it is no Sentinel")
        case .error(let refusal)?: throw RedisError(.refused, refusal.text)
        default: throw Self.nonsense
        }
        epoch = replies.count > 1 ? Self.epoch(in: replies[1]) : 0
    }

    private static var nonsense: RedisError {
        RedisError(.protocolViolation, "it was asked for a master and answered something else")
    }

    /// Of the fields and values that `SENTINEL MASTER` gives.
    private static func epoch(in reply: RedisReply) -> Int {
        guard case .array(let parts) = reply,
            let place = parts.firstIndex(where: { $0.text == "config-epoch" }), place + 1 < parts.count
        else { return 0 }
        return parts[place + 1].text.flatMap { Int($0) } ?? 0
    }
}
