import Logging
import Redis
import Rules

/// One Redis deployment, today a single server, that keys are deleted from.
public final class Target: Sendable {
    /// Where it is.
    public let url: RedisURL
    let options: TargetOptions
    private let link: Link

    /// A target; ``run()`` connects to it.
    ///
    /// - Parameters:
    ///   - onIdentity: told which server was reached, at every connection, before anything that it deletes
    ///     counts as deleted. Deletes wait until it returns, so it must not wait for one. A server other than
    ///     the last may lack what that one had acknowledged.
    ///   - onState: told each change of ``state``, in order. It must not block.
    public init(
        _ url: RedisURL, options: TargetOptions = .init(), logger: Logger,
        onIdentity: @escaping @Sendable (RedisIdentity) async -> Void = { _ in },
        onState: @escaping @Sendable (TargetState) -> Void = { _ in }
    ) {
        self.url = url
        self.options = options
        var logger = logger
        logger[metadataKey: "redis"] = "\(url)"
        link = Link(to: url, options: options, logger: logger, onIdentity: onIdentity, onState: onState)
    }

    /// Where it stands.
    public var state: TargetState { link.state }

    /// Keeps the connection until the task is cancelled. Called once; without it deletes wait.
    public func run() async { await link.run() }

    /// Deletes keys, and returns those that can't be deleted by their own fault. However long the target is in
    /// trouble, this waits for it. Any number of tasks may call it at the same time.
    ///
    /// Throws when the task is cancelled or ``run()`` has ended; any of the keys may have been deleted.
    public func delete(_ keys: [Key]) async throws(CancellationError) -> [Failure] {
        var work = Unlinking(
            keys, keysPerCommand: options.keysPerCommand, bytesPerPipeline: options.bytesPerPipeline)
        while !work.isDone {
            let connection = try await link.connection()
            if let replies = try await link.attempt(work.commands(), on: connection) { work.settle(replies) }
        }
        return work.failures
    }
}
