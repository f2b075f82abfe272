import Redis
import Rules

/// What a load says to Redis, in Lua. A loader is a fenced reader; beside the fence it has a lock, so that no other
/// process loads the same entry at the same time.
struct LoadScript: Sendable {
    private let text: String
    /// SHA-1 of the text, as `SCRIPT LOAD` answers it: by that name a server remembers a script that it was given once.
    private let digest: String

    /// Takes the lock and sets the fence, which makes void what others have read until now. Answers 0 where somebody
    /// else has the lock. The GET is for a reply that was lost: then we have it already.
    static let begin = LoadScript(
        text: """
            if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[3])
                and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
            return 1
            """, digest: "71d7420654193322d3713ca76fe83d649e50256d")

    /// Lets the lock go, and stores the value unless the entry became stale again. Answers whether it was stored.
    static let store = LoadScript(
        text: """
            if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
            if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
            return 1
            """, digest: "033d106b446b0b23ff05e58c960dc385c0de8025")

    /// Lets the lock go, if it is still ours.
    static let release = LoadScript(
        text: """
            if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
            return 1
            """, digest: "fe922d9c0ce01e40291b439d6b6133804a9174cd")

    static let all = [begin, store, release]

    /// Runs the script for each of these keys, which are in one slot each, and arguments. Gives the replies.
    func run(_ runs: [Run], on target: Target) async throws(CancellationError) -> [RedisReply] {
        var replies = try await target.execute(groups: runs.map { group("EVALSHA", digest, $0) }).map { $0[0] }
        // A server that has not met it yet, or has forgotten it.
        let unknown = replies.indices.filter { replies[$0].tellsOfUnknownScript }
        let again = try await target.execute(groups: unknown.map { group("EVAL", text, runs[$0]) })
        for (index, answer) in zip(unknown, again) { replies[index] = answer[0] }
        return replies
    }

    /// Keys and arguments.
    typealias Run = (keys: [Key], arguments: [[UInt8]])

    private func group(_ command: StaticString, _ script: String, _ run: Run) -> CommandGroup {
        let words = [Array(script.utf8), Array("\(run.keys.count)".utf8)] + run.keys.map(\.bytes) + run.arguments
        return CommandGroup(key: run.keys.first, commands: [RedisCommand(command, words)])
    }
}

extension RedisReply {
    fileprivate var tellsOfUnknownScript: Bool {
        if case .error(let error) = self { error.code == "NOSCRIPT" } else { false }
    }
}

extension CompanionName {
    /// Where the lock of a key's load is; nil: it can have none.
    func lock(of key: Key) -> Key? { name(Array("unstale:load:".utf8), of: key) }
}

extension Duration {
    /// Whole milliseconds, at least one, as Redis takes them.
    var redisMilliseconds: [UInt8] { Array("\(max(1, Int64(self / .milliseconds(1))))".utf8) }
}
