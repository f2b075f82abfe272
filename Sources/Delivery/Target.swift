import Logging
import Redis
import Rules

/// One Redis deployment that keys are deleted from: a server, what Sentinels call by a name, or a Cluster.
public final class Target: Sendable {
    /// What people and metrics call it.
    public let name: String
    /// Where it is.
    public let url: RedisURL
    let options: TargetOptions
    let topology: Topology
    private let servers: Servers
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
        var ownLogger = logger
        ownLogger[metadataKey: "redis"] = "\(url)"
        self.logger = ownLogger
        topology = Topology(url, options: options, logger: logger)
        servers = Servers(
            of: topology, target: name, options: options, logger: logger, onIdentity: onIdentity, onState: onState)
    }

    /// Where its connections run, and so whoever sends it something had better run.
    public var executor: EventLoopExecutor { options.connection.executor }

    /// Where it stands.
    public var state: TargetState { servers.currentState }

    /// Whether it is left alone until somebody sets this back: what is under way ends, everything else waits.
    public var isHeld: Bool { hold.isHeld }

    /// Has it left alone, or no longer.
    public func hold(_ isHeld: Bool) { hold.set(isHeld) }

    /// Keeps the connections until the task is cancelled. Called once; without it deletes wait.
    public func run() async {
        if url.tls?.verifies == false {
            logger.warning("Redis is not asked to prove who it is (tls=insecure): use it for tests only")
        }
        await withTaskGroup { group in
            group.addTask { await self.topology.run() }
            await servers.run()
            group.cancelAll()
        }
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
            keys, fencing: fencing, companions: companions, keysPerCommand: options.keysPerCommand,
            bytesPerPipeline: options.bytesPerPipeline)
        var random = SystemRandomNumberGenerator()
        var retries = retries()
        while !work.isDone {
            let groups = work.groups(using: &random)
            let replies = try await attempt(groups).map { $0?.replies }
            if work.settle(replies) {
                retries.succeeded()
            } else {
                try await retries.failed(Self.obstacle(to: groups, replies))
            }
        }
        return work.failures
    }

    /// What keys of our own are called here.
    var companions: CompanionName { CompanionName(sharesSlot: topology.isCluster) }

    /// Sends groups of commands until none of the replies tells of trouble of the target; a group is sent again as a
    /// whole then, so its commands must be idempotent. Gives the replies of each group in the order of its commands.
    func execute(groups: [CommandGroup]) async throws(CancellationError) -> [[RedisReply]] {
        var answers = [[RedisReply]](repeating: [], count: groups.count)
        var waiting = Array(groups.indices)
        var retries = retries()
        while !waiting.isEmpty {
            let attempted = try await attempt(waiting.map { groups[$0] }, &retries)
            var unanswered: [Int] = []
            for (index, answer) in zip(waiting, attempted) {
                if let answer { answers[index] = answer.replies } else { unanswered.append(index) }
            }
            waiting = unanswered
        }
        return answers
    }

    /// Sends groups of commands once, as many of the first as make a pipeline. Gives their answers; nil for those that
    /// came to nothing by trouble of the target, or whose place is gone, and for the rest. Where nothing was answered, this
    /// returns when it is to be tried again.
    func attempt(
        _ groups: [CommandGroup], _ retries: inout Retries
    ) async throws(CancellationError) -> [Answer?] {
        guard !groups.isEmpty else { return [] }
        let next = Self.pipeline(groups, bytes: options.bytesPerPipeline)
        let answers = try await attempt(next)
        let sound: [Answer?] = answers.map { answer in answer.flatMap { $0.tellsOfTrouble ? nil : $0 } }
        if sound.contains(where: { $0 != nil }) {
            retries.succeeded()
        } else {
            try await retries.failed(Self.obstacle(to: next, answers.map { $0?.replies }))
        }
        return sound + [Answer?](repeating: nil, count: groups.count - next.count)
    }

    /// For one who tries the same again and again.
    func retries() -> Retries { Retries(of: servers) }

    /// Returns when the target takes commands.
    func waitUntilUsable() async throws(CancellationError) {
        try await hold.wait()
        _ = try await servers.members()
    }

    /// The server that deletes go to, by its `run_id`; nil while there is none, and in a Cluster.
    var server: String? { get async { await servers.only } }

    /// Returns when nobody holds the target.
    func waitWhileHeld() async throws(CancellationError) { try await hold.wait() }

    private func attempt(_ groups: [CommandGroup]) async throws(CancellationError) -> [Answer?] {
        try await hold.wait()
        return try await servers.attempt(groups)
    }

    /// What keeps the first of some groups in a Cluster from being carried out; nil: it had no replies.
    private static func obstacle(to groups: [CommandGroup], _ replies: [[RedisReply]?]) -> String? {
        for (group, replies) in zip(groups, replies) {
            guard let key = group.key, case .error(let error) = replies?.last, Trouble(error).isTargets
            else { continue }
            return "slot \(RedisSlot(of: key.bytes).number) is stuck: \(error.summary)"
        }
        return nil
    }

    /// As many of the first groups as make a pipeline; one at least.
    private static func pipeline(_ groups: [CommandGroup], bytes limit: Int) -> [CommandGroup] {
        var bytes = 0
        return Array(
            groups.prefix { group in
                defer { bytes += group.commands.reduce(0) { $0 + $1.byteCount } }
                return bytes == 0 || bytes < limit
            })
    }
}
