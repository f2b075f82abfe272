import Redis
import Rules
import TestSupport

/// What an application keeps in Redis, by connections of its own.
struct Cache: Sendable {
    /// To the server, or of a Cluster to one of its servers.
    private let connection: RedisConnection
    private let cluster: ClusterClient?

    init(_ url: RedisURL) async throws {
        if case .cluster(let seeds) = url.deployment {
            cluster = ClusterClient(url)
            connection = try await RedisConnection.connect(to: url.at(seeds[0]))
        } else {
            cluster = nil
            connection = try await RedisConnection.connect(to: url)
        }
    }

    /// Sends commands about one key each.
    private func pipeline(_ commands: [(key: [UInt8], command: RedisCommand)]) async throws -> [RedisReply] {
        if let cluster { return try await cluster.send(commands) }
        return try await connection.pipeline(commands.map(\.command), deadline: .seconds(30))
    }

    /// Caches values.
    func set(_ entries: [Key: String]) async throws {
        for chunk in Array(entries).chunked(by: 1_000) {
            let commands = chunk.map { ($0.key.bytes, RedisCommand("SET", [$0.key.bytes, Array($0.value.utf8)])) }
            for case .error(let error) in try await pipeline(commands) {
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
        try await pipeline(keys.map { ($0.bytes, RedisCommand("EXISTS", [$0.bytes])) }).contains(.integer(1))
    }

    /// Everything that is cached.
    func entries() async throws -> [Key: String] {
        var entries: [Key: String] = [:]
        for chunk in try await keys().chunked(by: 1_000) {
            let values = try await pipeline(chunk.map { ($0, RedisCommand("GET", [$0])) })
            for case (let key, .bulk(let value)) in zip(chunk, values) {
                entries[Key(bytes: key)] = String(decoding: value, as: UTF8.self)
            }
        }
        return entries
    }

    private func keys() async throws -> [[UInt8]] {
        if let cluster { return try await cluster.keys() }
        guard
            case .array(let replies) = try await connection.send(
                RedisCommand("KEYS", "*"), deadline: .seconds(30))
        else { return [] }
        return replies.compactMap { if case .bulk(let bytes) = $0 { bytes } else { nil } }
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
