import Redis
import Rules

/// What an application keeps in Redis, by a connection of its own.
struct Cache: Sendable {
    private let connection: RedisConnection

    init(_ url: RedisURL) async throws { connection = try await RedisConnection.connect(to: url) }

    /// Caches values.
    func set(_ entries: [Key: String]) async throws {
        for chunk in Array(entries).chunked(by: 1_000) {
            let commands = chunk.map { RedisCommand("SET", [$0.key.bytes, Array($0.value.utf8)]) }
            for case .error(let error) in try await connection.pipeline(commands, deadline: .seconds(30)) {
                throw RedisError(.refused, error.text)
            }
        }
    }

    /// Caches keys, whose values don't matter.
    func set(_ keys: String...) async throws {
        try await set(Dictionary(keys.map { (Key($0), "cached") }) { $1 })
    }

    /// Whether a key is cached.
    func has(_ key: String) async throws -> Bool { try await has(Key(key)) }

    /// Whether a key is cached.
    func has(_ key: Key) async throws -> Bool { try await hasAny(of: [key]) }

    /// Whether any of these keys is cached.
    func hasAny(of keys: [Key]) async throws -> Bool {
        try await connection.send(RedisCommand("EXISTS", keys.map(\.bytes)), deadline: .seconds(5)) != .integer(0)
    }

    /// Everything that is cached.
    func entries() async throws -> [Key: String] {
        guard
            case .array(let replies) = try await connection.send(
                RedisCommand("KEYS", "*"), deadline: .seconds(30))
        else { return [:] }
        var entries: [Key: String] = [:]
        for chunk in replies.chunked(by: 1_000) {
            let keys = chunk.compactMap { if case .bulk(let bytes) = $0 { Key(bytes: bytes) } else { nil } }
            let values = try await connection.pipeline(
                keys.map { RedisCommand("GET", [$0.bytes]) }, deadline: .seconds(30))
            for case (let key, .bulk(let value)) in zip(keys, values) {
                entries[key] = String(decoding: value, as: UTF8.self)
            }
        }
        return entries
    }

    /// Sends a command.
    @discardableResult
    func send(_ words: String...) async throws -> RedisReply {
        var command = RedisCommand()
        for word in words { command.append(Array(word.utf8)) }
        return try await connection.send(command, deadline: .seconds(30))
    }
}

extension RandomAccessCollection where Index == Int {
    /// The elements in chunks of at most this many.
    func chunked(by size: Int) -> [SubSequence] {
        stride(from: startIndex, to: endIndex, by: size).map { self[$0..<Swift.min($0 + size, endIndex)] }
    }
}
