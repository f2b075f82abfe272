import Delivery
import Logging
import Redis
import Rules
import Synchronization
import TestSupport

/// What a target tells its owner.
final class Story: Sendable {
    private let content = Mutex((identities: [RedisIdentity](), states: [TargetState]()))

    var identities: [RedisIdentity] { content.withLock { $0.identities } }
    var states: [TargetState] { content.withLock { $0.states } }

    /// How often the target began to be waited for.
    var pauses: Int {
        let states = self.states
        return zip([.connecting] + states, states).count { before, after in
            if case .paused = before { return false }
            if case .paused = after { return true }
            return false
        }
    }

    func tell(_ identity: RedisIdentity) { content.withLock { $0.identities.append(identity) } }
    func tell(_ state: TargetState) { content.withLock { $0.states.append(state) } }
}

/// Counts what several tasks do.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func increment() { count.withLock { $0 += 1 } }
}

extension Logger {
    static var quiet: Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }
}

/// Lends a target that runs.
func withTarget(
    _ url: RedisURL, options: TargetOptions = .init(),
    onIdentity: @escaping @Sendable (RedisIdentity) async -> Void = { _ in },
    _ body: (Target, Story) async throws -> Void
) async throws {
    let story = Story()
    let target = Target(url, options: options, logger: .quiet) { identity in
        story.tell(identity)
        await onIdentity(identity)
    } onState: {
        story.tell($0)
    }
    try await withThrowingTaskGroup { group in
        group.addTask { await target.run() }
        try await body(target, story)
        group.cancelAll()
    }
}

/// Lends a target and its sweeper, both running.
func withSweeper(
    _ url: RedisURL, options: SweepOptions = .init(), target targetOptions: TargetOptions = .init(),
    _ body: (Sweeper, Target) async throws -> Void
) async throws {
    try await withTarget(url, options: targetOptions) { target, _ in
        let sweeper = Sweeper(
            target, options: options,
            logger: .quiet)
        try await withThrowingTaskGroup { group in
            group.addTask { await sweeper.run() }
            try await body(sweeper, target)
            group.cancelAll()
        }
    }
}

/// A client of the test's own.
struct Client {
    let connection: RedisConnection

    init(_ url: RedisURL) async throws { connection = try await RedisConnection.connect(to: url) }

    func set(_ keys: [Key]) async throws {
        try await send(RedisCommand("MSET", keys.flatMap { [$0.bytes, [49]] }))
    }

    func existing(_ keys: [Key]) async throws -> Set<Key> {
        // In most cases all or none are there, and one command tells.
        switch try await send(RedisCommand("EXISTS", keys.map(\.bytes))) {
        case .integer(0): return []
        case .integer(keys.count): return Set(keys)
        default: break
        }
        let replies = try await pipeline(keys.map { RedisCommand("EXISTS", [$0.bytes]) })
        return Set(zip(keys, replies).filter { $1 == .integer(1) }.map(\.0))
    }

    @discardableResult
    func send(_ command: RedisCommand) async throws -> RedisReply {
        try await connection.send(command, deadline: .seconds(30))
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [RedisReply] {
        try await connection.pipeline(commands, deadline: .seconds(30))
    }
}
