import Capture
public import Delivery
public import Logging
public import Redis
public import Rules
public import ServiceLifecycle
import Postgres

/// Keeps one target true to one database, until it is told to stop.
public struct Worker: Service, CustomStringConvertible {
    private let rules: [Rule]
    private let settings: WorkerSettings
    private let target: Target
    private let sweeper: Sweeper
    private let rewarmer: Rewarmer
    private let monitor: TargetMonitor
    private let logger: Logger

    /// A worker for these rules between the database of the settings and the Redis at `url`.
    public init(
        rules: [Rule], settings: WorkerSettings, redis url: RedisURL, targetOptions: TargetOptions = .init(),
        sweepOptions: SweepOptions = .init(), logger: Logger
    ) {
        let monitor = TargetMonitor()
        self.rules = rules
        self.settings = settings
        self.monitor = monitor
        self.logger = logger
        target = Target(
            url, options: targetOptions, logger: logger, onIdentity: { monitor.reached($0) },
            onState: { monitor.changed(to: $0) })
        sweeper = Sweeper(target, options: sweepOptions, logger: logger)
        rewarmer = Rewarmer(
            target, rules: rules, postgres: settings.postgres, sessionSettings: TextSetting.pinAll,
            logger: logger)
    }

    /// What logs call it.
    public var description: String { "worker" }

    /// Serves until a graceful shutdown, then finishes what is in flight within the grace period and stores the
    /// cursor. Whatever happens to Postgres or Redis is waited for.
    public func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { await target.run() }
            group.addTask { await sweeper.run() }
            group.addTask { await rewarmer.run() }
            try await serve()
            group.cancelAll()
        }
    }

    /// One session after another.
    private func serve() async throws {
        let backoff = Backoff.exponential(base: .milliseconds(100), cap: .seconds(2))
        var random = SystemRandomNumberGenerator()
        var failures = 0
        var lastFailure: String?
        while !Task.isShuttingDownGracefully {
            let start = ContinuousClock.now
            do {
                let session = Session(
                    rules: rules, settings: settings, target: target, sweeper: sweeper, rewarmer: rewarmer,
                    monitor: monitor,
                    logger: logger)
                try await session.run()
            } catch is SessionIsOutdated {
                logger.notice("The capture was installed anew: beginning again")
            } catch {
                // Told to stop, and perhaps cancelled since because that took long: either way this is the end.
                if Task.isShuttingDownGracefully { return }
                try Task.checkCancellation()
                if .now - start > .seconds(1) { failures = 0 }
                failures += 1
                // A failure that repeats itself is said once.
                if "\(error)" != lastFailure || failures == 1 {
                    logger.warning("Postgres is waited for", metadata: ["reason": "\(error)"])
                }
                lastFailure = "\(error)"
                let delay = backoff.delay(afterFailures: failures, using: &random)
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
            }
        }
    }
}
