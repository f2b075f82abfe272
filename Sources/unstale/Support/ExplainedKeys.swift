import NIOPosix
import Redis
import Rules

/// Asks a Redis what is there, and changes nothing.
struct ExplainedKeys {
    private let connections: RedisConnections

    /// Lends a connection.
    static func with<Value>(
        _ url: RedisURL, _ body: (ExplainedKeys) async throws -> Value
    ) async throws -> Value {
        let connections = try await RedisConnections.connect(to: url)
        defer { connections.close() }
        return try await body(ExplainedKeys(connections: connections))
    }

    func exists(_ key: Key) async throws -> Bool {
        guard let connection = connections[key.bytes] else { return false }
        let reply = try await send(RedisCommand("EXISTS", [key.bytes]), on: connection)
        guard case .integer(let count) = reply else { return false }
        return count > 0
    }

    /// How many keys are filed under a tag, in words.
    func filed(under tag: Key) async throws -> String {
        guard let connection = connections[tag.bytes] else { return "nobody has its slot" }
        switch try await connection.send(RedisCommand("SCARD", [tag.bytes]), deadline: .seconds(5)) {
        case .integer(let count): return "\(count) keys are filed under it"
        case .error(let error): return escaped(error.text)
        default: return "no set"
        }
    }

    /// How many keys a pattern matches, by one full SCAN.
    func count(_ pattern: Pattern) async throws -> Int {
        // SCAN may return a key more than once.
        var keys: Set<[UInt8]> = []
        for connection in connections.all {
            var cursor = Array("0".utf8)
            repeat {
                let options = [Array("MATCH".utf8), pattern.bytes, Array("COUNT".utf8), Array("1000".utf8)]
                let reply = try await send(RedisCommand("SCAN", [cursor] + options), on: connection)
                guard case .array(let page) = reply, page.count == 2,
                    case .bulk(let next) = page[0], case .array(let found) = page[1]
                else { break }
                for case .bulk(let key) in found { keys.insert(key) }
                cursor = next
            } while cursor != Array("0".utf8)
        }
        return keys.count
    }

    private func send(_ command: RedisCommand, on connection: RedisConnection) async throws -> RedisReply {
        let reply = try await connection.send(command, deadline: .seconds(5))
        if case .error(let error) = reply { throw Failure(.unavailable, "asking Redis: \(error.text)") }
        return reply
    }
}
