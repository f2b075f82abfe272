import Logging
import Metrics
import Redis
import Synchronization

/// One connection to a target, which comes back by itself. While the target is in trouble everybody who needs
/// the connection waits for the one attempt to get it back that ``run()`` makes, and nobody makes another.
actor Link {
    private let url: RedisURL
    private let options: TargetOptions
    private let onIdentity: @Sendable (RedisIdentity) async -> Void
    private let onState: @Sendable (TargetState) -> Void
    private let logger: Logger
    private let roundTrips: Metrics.Timer
    private let isTrouble: @Sendable (RedisErrorReply) -> Bool

    private var health = Health()
    private var current: RedisConnection?
    /// Where it leads.
    private var identity: RedisIdentity?
    /// What has to work before the pause is over: the very command that failed, where there was one.
    private var probe = Link.ping
    private var waiters: [OneShot<RedisConnection, CancellationError>] = []
    private var hasEnded = false
    private let visibleState = Mutex(TargetState.connecting)

    private static let ping = RedisCommand("PING")

    /// - Parameters:
    ///   - target: The target's name.
    ///   - onIdentity: told which server was reached, before the connection is given to anybody.
    ///   - onState: told each change of the state.
    ///   - isTrouble: whether an error is the target's and not the command's.
    init(
        to url: RedisURL, target: String, options: TargetOptions, logger: Logger,
        isTrouble: @escaping @Sendable (RedisErrorReply) -> Bool = { Trouble($0).isTargets },
        onIdentity: @escaping @Sendable (RedisIdentity) async -> Void = { _ in },
        onState: @escaping @Sendable (TargetState) -> Void = { _ in }
    ) {
        self.url = url
        self.options = options
        self.onIdentity = onIdentity
        self.onState = onState
        self.logger = logger
        roundTrips = Metrics.Timer(label: "unstale_redis_round_trip_seconds", dimensions: [("target", target)])
        self.isTrouble = isTrouble
    }

    /// Where the target stands.
    nonisolated var state: TargetState { visibleState.withLock { $0 } }

    /// Keeps the connection until the task is cancelled; then all who wait get a `CancellationError`.
    func run() async {
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            do throws(RedisError) {
                let (connection, identity) = try await connect()
                resume(with: connection, identity)
                await watch(connection, identity)
                if Task.isCancelled { break }
                pause("the connection was closed", of: connection)
            } catch {
                if error.code == .cancelled { break }
                failed(error.description, summary: error.summary)
            }
            try? await Task.sleep(for: options.backoff.delay(afterFailures: health.failures, using: &random))
        }
        end()
    }

    /// The connection, as soon as the target takes commands.
    func connection() async throws(CancellationError) -> RedisConnection {
        if let current { return current }
        if hasEnded { throw CancellationError() }
        let waiter = OneShot<RedisConnection, CancellationError>(cancellation: CancellationError())
        waiters.append(waiter)
        do {
            return try await waiter.value()
        } catch {
            waiters.removeAll { $0 === waiter }
            throw error
        }
    }

    /// The server that the connection leads to, by its `run_id`; nil while there is none.
    var server: String? { current == nil ? nil : identity?.runID }

    /// Sends the commands once. Nil when they got no replies; then, and when a reply tells of trouble of the
    /// target, the link pauses.
    ///
    /// - Parameter mayProbe: whether a command that met with trouble may be sent again to see if the pause is over.
    nonisolated func attempt(
        _ commands: [RedisCommand], on connection: RedisConnection, mayProbe: Bool = true
    ) async throws(CancellationError) -> [RedisReply]? {
        do throws(RedisError) {
            let start = ContinuousClock.now
            let replies = try await connection.pipeline(commands, deadline: options.deadline)
            roundTrips.record(duration: .now - start)
            for (command, reply) in zip(commands, replies) {
                guard case .error(let error) = reply, isTrouble(error) else { continue }
                let summary = Trouble(error).isTargets ? error.summary : error.kind
                await pause(error.text, summary: summary, of: connection, probe: mayProbe ? command : nil)
                break
            }
            return replies
        } catch {
            guard error.code != .cancelled else { throw CancellationError() }
            await pause(error.description, summary: error.summary, of: connection)
            return nil
        }
    }

    /// Takes a connection out of use. Only the first who reports it is heard.
    ///
    /// - Parameter summary: The reason for logs, where it may quote keys.
    func pause(
        _ reason: String, summary: String? = nil, of connection: RedisConnection, probe: RedisCommand? = nil
    ) {
        guard current === connection else { return }
        current = nil
        if let probe { self.probe = probe }
        connection.close()
        failed(reason, summary: summary ?? reason)
    }

    /// A connection to a server that takes commands, and which server that is.
    private func connect() async throws(RedisError) -> (RedisConnection, RedisIdentity) {
        let connection = try await RedisConnection.connect(to: url, options: options.connection)
        let reply = try await connection.send(probe, deadline: options.deadline)
        if case .error(let error) = reply, isTrouble(error) { throw RedisError(.refused, error.text) }
        if let wait = options.replicaWait, probe == wait.command, let shortfall = wait.shortfall(reply) {
            throw RedisError(.refused, shortfall)
        }
        // After the probe: a server that was a replica until then has another identity as a master.
        let identity = try await connection.identity(deadline: options.deadline)
        await onIdentity(identity)
        return (connection, identity)
    }

    /// Returns when the connection has ended, or doesn't lead to the same server any more.
    private func watch(_ connection: RedisConnection, _ identity: RedisIdentity) async {
        await withTaskGroup { group in
            group.addTask { await connection.closed() }
            group.addTask { await self.check(connection, identity) }
            if let sentinels = SentinelWatch(url, interval: options.checkInterval, options: options.connection) {
                group.addTask {
                    await sentinels.switched(from: connection)
                    if !Task.isCancelled { await self.pause("Sentinel names another master", of: connection) }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func check(_ connection: RedisConnection, _ identity: RedisIdentity) async {
        while (try? await Task.sleep(for: options.checkInterval)) != nil {
            do throws(RedisError) {
                await renewLogin(connection)
                if try await connection.identity(deadline: options.deadline) == identity { continue }
                pause("the server's role or history has changed", of: connection)
            } catch {
                if error.code != .cancelled { pause(error.description, summary: error.summary, of: connection) }
            }
            return
        }
    }

    /// A secret that was changed is tried on the living connection. One that is not accepted, or not yet, is no reason
    /// to end what still works.
    private func renewLogin(_ connection: RedisConnection) async {
        do throws(RedisError) {
            try await connection.renewLogin(deadline: options.deadline)
        } catch {
            guard error.code == .refused else { return }
            logger.warning(
                "The next login to Redis would fail", metadata: ["reason": "\(error.summary)"])
        }
    }

    private func resume(with connection: RedisConnection, _ identity: RedisIdentity) {
        current = connection
        self.identity = identity
        probe = Link.ping
        announce(health.succeeded(at: .now), server: identity.server)
        for waiter in waiters { waiter.resolve(.success(connection)) }
        waiters = []
    }

    private func failed(_ reason: String, summary: String) {
        announce(health.failed(reason, at: .now), summary: summary)
    }

    private func end() {
        hasEnded = true
        current?.close()
        current = nil
        for waiter in waiters { waiter.resolve(.failure(CancellationError())) }
        waiters = []
    }

    private func announce(_ announcement: Health.Announcement, summary: String = "", server: String = "") {
        visibleState.withLock { $0 = health.state }
        onState(health.state)
        switch announcement {
        case .none: break
        case .connected: logger.info("Redis is connected", metadata: ["server": "\(server)"])
        case .paused(let reason):
            logger.warning("Redis is waited for", metadata: ["reason": "\(summary)"])
            if reason != summary { logger.debug("Why Redis is waited for", metadata: ["reason": "\(reason)"]) }
        case .recovered(let pause):
            logger.notice("Redis is back", metadata: ["pause": "\(pause)", "server": "\(server)"])
        }
    }
}
