import Rules
import TestSupport

@testable import Delivery
@testable import Redis

/// A Cluster in memory, of one slot that is handed over all the time, key by key, as the specification has it.
struct ModelCluster {
    let servers = (0..<3).map { RedisURL.Address.tcp(host: "server", port: 7000 + $0) }
    /// The keys that each server has.
    private(set) var keys: [Set<[UInt8]>] = [[], [], []]
    private(set) var owner = 0
    private var importer: Int?
    /// The commands that were executed, in their order.
    private(set) var executed: [RedisCommand] = []
    /// Whether some key was in two places at a time.
    private(set) var hasDoubles = false

    init(_ keys: [[UInt8]]) { self.keys[0] = Set(keys) }

    /// Who has the slot, as a client that asked some time ago may know it.
    func map(_ owner: Int) -> SlotMap {
        let node = RedisReply.array([.bulk(Array("server".utf8)), .integer(7000 + owner)])
        return SlotMap(.array([.array([.integer(0), .integer(RedisSlot.count - 1), node])]), askedAt: servers[owner])!
    }

    /// Takes one step of handing over.
    mutating func move(using random: inout SeededGenerator) {
        guard let importer else {
            importer = (0..<3).filter { $0 != owner }.randomElement(using: &random)
            return
        }
        if let key = keys[owner].randomElement(using: &random), Int.random(in: 0..<4, using: &random) > 0 {
            keys[owner].remove(key)
            insert(key, at: importer)
        } else if keys[owner].isEmpty {
            owner = importer
            self.importer = nil
        }
    }

    /// Answers a pipeline; a step of handing over may come before each command.
    mutating func answer(_ step: RoutedGroup.Step, using random: inout SeededGenerator) -> [RedisReply] {
        guard let server = servers.firstIndex(of: step.address) else { return [] }
        var isAsking = false
        return step.commands.map { command in
            if Bool.random(using: &random) { move(using: &random) }
            defer { isAsking = command.name == "ASKING" }
            return command.name == "ASKING" ? .simpleString("OK") : answer(command, at: server, isAsking)
        }
    }

    private mutating func answer(_ command: RedisCommand, at server: Int, _ isAsking: Bool) -> RedisReply {
        let named = command.name == "SET" ? [command.words[1]] : Array(command.words.dropFirst())
        let present = named.filter { keys[server].contains($0) }
        if server == owner {
            if let importer, present.count < named.count {
                return error(present.isEmpty ? "ASK 0 server:\(7000 + importer)" : "TRYAGAIN")
            }
        } else if server != importer || !isAsking {
            return error("MOVED 0 server:\(7000 + owner)")
        } else if named.count > 1, present.count < named.count {
            return error("TRYAGAIN")
        }
        executed.append(command)
        if command.name == "SET" {
            insert(named[0], at: server)
            return .simpleString("OK")
        }
        keys[server].subtract(named)
        return .integer(present.count)
    }

    private mutating func insert(_ key: [UInt8], at server: Int) {
        keys[server].insert(key)
        if keys.count(where: { $0.contains(key) }) > 1 { hasDoubles = true }
    }

    private func error(_ text: String) -> RedisReply { .error(RedisErrorReply(text)) }
}
