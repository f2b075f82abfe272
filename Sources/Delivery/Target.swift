import Logging
import Redis
import Rules

/// One Redis deployment, today a single server, that keys are deleted from.
public final class Target: Sendable {
    /// What people and metrics call it.
    public let name: String
    /// Where it is.
    public let url: RedisURL
    let options: TargetOptions
    private let link: Link
    private let hold = Hold()
    private let logger: Logger

    /// A target; ``run()`` connects to it.
    ///
    /// - Parameters:
    ///   - onIdentity: told which server was reached, at every connection, before anything that it deletes
    ///     counts as deleted. Deletes wait until it returns, so it must not wait for one. A server other than
    ///     the last may lack what that one had acknowledged.
    ///   - onState: told each change of ``state``, in order. It must not block.
    public init(
        _ url: RedisURL, name: String = "default", options: TargetOptions = .init(), logger: Logger,
        onIdentity: @escaping @Sendable (RedisIdentity) async -> Void = { _ in },
        onState: @escaping @Sendable (TargetState) -> Void = { _ in }
    ) {
        self.name = name
        self.url = url
        self.options = options
        var logger = logger
        logger[metadataKey: "redis"] = "\(url)"
        self.logger = logger
        link = Link(
            to: url, target: name, options: options, logger: logger, onIdentity: onIdentity, onState: onState)
    }

    /// Where it stands.
    public var state: TargetState { link.state }

    /// Whether it is left alone until somebody sets this back: what is under way ends, everything else waits.
    public var isHeld: Bool { hold.isHeld }

    /// Has it left alone, or no longer.
    public func hold(_ isHeld: Bool) { hold.set(isHeld) }

    /// Keeps the connection until the task is cancelled. Called once; without it deletes wait.
    public func run() async {
        if url.tls?.verifies == false {
            logger.warning("Redis is not asked to prove who it is (tls=insecure): use it for tests only")
        }
        await link.run()
    }

    /// Deletes keys, and returns those that can't be deleted by their own fault. However long the target is in
    /// trouble, this waits for it. Any number of tasks may call it at the same time.
    ///
    /// A reader that keeps to the protocol of ``Fence`` and that loaded one of the `fenced` keys before the call
    /// doesn't store it after the return. A key that can't be fenced is deleted all the same, and is a failure.
    ///
    /// Throws when the task is cancelled or ``run()`` has ended; any of the keys may have been deleted.
    public func delete(
        _ keys: [Key], fenced: Set<Key> = []
    ) async throws(CancellationError) -> [Failure] {
        try await delete(keys, fencing: options.fencesAll ? .all : Fencing(fenced))
    }

    /// Deletes keys, with these fences whatever the options say.
    func delete(_ keys: [Key], fencing: Fencing) async throws(CancellationError) -> [Failure] {
        var work = Unlinking(
            keys, fencing: fencing, keysPerCommand: options.keysPerCommand,
            bytesPerPipeline: options.bytesPerPipeline)
        var random = SystemRandomNumberGenerator()
        while !work.isDone {
            let connection = try await connection()
            let commands = work.commands(using: &random)
            if let replies = try await link.attempt(commands, on: connection) { work.settle(replies) }
        }
        return work.failures
    }

    /// What keys of our own are called here.
    var companions: CompanionName { CompanionName(sharesSlot: false) }

    /// Sends groups of commands until none of the replies tells of trouble of the target; a group is sent again as a
    /// whole then, so its commands must be idempotent. Gives the replies of each group in the order of its commands.
    func execute(groups: [CommandGroup]) async throws(CancellationError) -> [[RedisReply]] {
        var replies = try await execute(groups.flatMap(\.commands))[...]
        return groups.map { group in
            defer { replies = replies.dropFirst(group.commands.count) }
            return Array(replies.prefix(group.commands.count))
        }
    }

    /// Sends commands until none of the replies tells of trouble of the target; all are sent again then, so they
    /// must be idempotent. Gives the replies in the order of the commands.
    func execute(_ commands: [RedisCommand]) async throws(CancellationError) -> [RedisReply] {
        var replies: [RedisReply] = []
        while replies.count < commands.count {
            let connection = try await connection()
            let pipeline = Self.pipeline(commands[replies.count...], bytes: options.bytesPerPipeline)
            let answers = try await link.attempt(Array(pipeline), on: connection)
            if let answers, !answers.contains(where: { $0.trouble?.isTargets == true }) {
                replies += answers
            } else {
                replies = []
            }
        }
        return replies
    }

    /// Returns when the target takes commands.
    func waitUntilUsable() async throws(CancellationError) { _ = try await connection() }

    /// The server that deletes go to, by its `run_id`; nil while there is none.
    var server: String? { get async { await link.server } }

    /// Returns when nobody holds the target.
    func waitWhileHeld() async throws(CancellationError) { try await hold.wait() }

    private func connection() async throws(CancellationError) -> RedisConnection {
        try await hold.wait()
        return try await link.connection()
    }

    /// As many of the first commands as make a pipeline; one at least.
    private static func pipeline(_ commands: ArraySlice<RedisCommand>, bytes limit: Int) -> ArraySlice<RedisCommand> {
        var bytes = 0
        return commands.prefix { command in
            defer { bytes += command.byteCount }
            return bytes == 0 || bytes < limit
        }
    }
}
