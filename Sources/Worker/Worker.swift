import Capture
public import Delivery
public import Logging
public import Redis
public import Rules
public import ServiceLifecycle
import Postgres

/// Keeps one target true to one database, until it is told to stop.
public struct Worker: Service, CustomStringConvertible {
    let settings: WorkerSettings
    let rules: RulesInUse
    let target: Target
    let sweeper: Sweeper
    let tally: DeliveryTally
    let board: Board
    let freshness: Freshness
    let monitor: TargetMonitor
    /// Hears of changes that somebody else's triggers tell of; nil: there are none.
    let listener: Listener?
    let logger: Logger
    /// The last changes, for people who look on.
    public let changes: RecentChanges

    /// A worker for these rules between the database of the settings and the Redis at `url`.
    public init(
        rules: [Rule], settings: WorkerSettings, redis url: RedisURL, targetOptions: TargetOptions = .init(),
        sweepOptions: SweepOptions = .init(), logger: Logger
    ) {
        let monitor = TargetMonitor(target: settings.target)
        let tally = DeliveryTally(target: settings.target)
        let target = Target(
            url, name: settings.target, options: targetOptions, logger: logger,
            onIdentity: { monitor.reached($0) }, onState: { monitor.changed(to: $0) })
        self.settings = settings
        self.monitor = monitor
        self.tally = tally
        self.target = target
        self.logger = logger
        let inUse = RulesInUse(rules) { rules, statistics in
            Rewarmer(
                target, rules: rules, tally: tally, postgres: settings.postgres,
                sessionSettings: TextSetting.pinAll, statistics: statistics, logger: logger)
        }
        self.rules = inUse
        listener =
            settings.listen.isEmpty
            ? nil
            : Listener(
                settings.listen, postgres: settings.postgres, pace: settings.pace,
                checkInterval: settings.captureCheckInterval, logger: logger,
                tables: { Set(inUse.current.rules.map(\.table.value)) })
        sweeper = Sweeper(target, options: sweepOptions, logger: logger)
        board = Board(target: settings.target)
        freshness = Freshness(target: settings.target)
        changes = RecentChanges(limit: settings.recentChanges)
    }

    /// What logs call it.
    public var description: String { "worker" }

    /// Serves until a graceful shutdown, then finishes what is in flight within the grace period and stores the
    /// cursor. Whatever happens to Postgres or Redis is waited for.
    public func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { await target.run() }
            group.addTask { await sweeper.run() }
            group.addTask { await rules.runRewarmers() }
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
                try await Session(worker: self).run()
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
                    let summary = (error as? PostgresError)?.summary ?? "\(error)"
                    logger.warning("Postgres is waited for", metadata: ["reason": "\(summary)"])
                    if summary != "\(error)" {
                        logger.debug("Why Postgres is waited for", metadata: ["reason": "\(error)"])
                    }
                }
                lastFailure = "\(error)"
                board.set(.waiting, reason: "\(error)")
                let delay = backoff.delay(afterFailures: failures, using: &random)
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
            }
        }
    }
}
