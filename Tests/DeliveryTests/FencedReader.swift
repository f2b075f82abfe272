import Redis
import Rules

/// A reader as an application writes it in whatever language: plain commands and a script. Each of its steps is a
/// call, so that others' steps can come between any two.
struct FencedReader {
    enum Step: Int, CaseIterable { case look, takeToken, load, store }

    private static let script = """
        if redis.call('GET', KEYS[2]) == ARGV[1] then
            redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
            return 1
        end
        return 0
        """

    let key: Key
    private let fence: Key
    /// Without it, it is a reader that knows of no fences.
    private let isFenced: Bool
    private var token: [UInt8] = []
    private var loaded = 0

    /// Whether it found the entry, or has done all its steps.
    private(set) var isDone = false
    /// Nil until it has tried to store.
    private(set) var hasStored: Bool?

    init(_ key: Key, isFenced: Bool = true) {
        self.key = key
        self.isFenced = isFenced
        fence = Key("unstale:fence:\(key)")
    }

    /// Does one step; it loads what the database has just now.
    mutating func perform(_ step: Step, database: Int, _ client: Client) async throws {
        guard !isDone else { return }
        switch step {
        case .look: isDone = try await client.send(RedisCommand("GET", [key.bytes])) != .null
        case .takeToken: if isFenced { take(try await client.pipeline(takingToken())) }
        case .load: loaded = database
        case .store: stored(try await client.send(storing()))
        }
    }

    /// The commands that take the token: one's own where there is none.
    func takingToken() -> [RedisCommand] {
        let own = String(UInt64.random(in: .min ... .max), radix: 16)
        return [
            RedisCommand("SET", fence.description, own, "NX", "PX", "60000"),
            RedisCommand("GET", [fence.bytes]),
        ]
    }

    /// Takes the replies to ``takingToken()``.
    mutating func take(_ replies: [RedisReply]) {
        if case .bulk(let token)? = replies.last { self.token = token }
    }

    /// Loads what the database has.
    mutating func load(_ database: Int) { loaded = database }

    /// The command that stores what was loaded.
    func storing() -> RedisCommand {
        let value = Array("\(loaded)".utf8)
        let ttl = Array("600000".utf8)
        guard isFenced else { return RedisCommand("SET", [key.bytes, value, Array("PX".utf8), ttl]) }
        let script = Array(Self.script.utf8)
        return RedisCommand("EVAL", [script, Array("2".utf8), key.bytes, fence.bytes, token, value, ttl])
    }

    /// Takes the reply to ``storing()``.
    mutating func stored(_ reply: RedisReply) {
        isDone = true
        hasStored = reply == .integer(1) || reply == .simpleString("OK")
    }
}
