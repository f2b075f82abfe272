/// What a Sentinel publishes when it takes another server for the master.
struct SentinelSwitch: Hashable {
    /// Where it is published.
    static let channel = "+switch-master"

    /// What the master is called.
    let name: String
    /// Where it is now.
    let master: RedisURL.Address

    /// Reads `mymaster 10.0.0.1 6379 10.0.0.2 6379`: the name, where the master was, and where it is. Nil: it is none.
    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard words.count == 5, let port = Int(words[4]) else { return nil }
        name = String(words[0])
        master = .tcp(host: String(words[3]), port: port)
    }
}
