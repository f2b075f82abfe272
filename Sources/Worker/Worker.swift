import Capture
public import Logging
import Postgres
public import Rules
public import ServiceLifecycle

/// Keeps targets true to one database, until it is told to stop.
public struct Worker: Service, CustomStringConvertible {
    let settings: WorkerSettings
    /// In the order in which they were given; one at least.
    let targets: [ServedTarget]
    let board: Board
    /// Hears of changes that somebody else's triggers tell of; nil: there are none.
    let listener: Listener?
    let logger: Logger
    /// The last changes, for people who look on.
    public let changes: RecentChanges

    /// A worker for these rules between the database of the settings and these targets, one at least, each of another
    /// name.
    public init(rules: [Rule], settings: WorkerSettings, targets: [TargetSettings], logger: Logger) {
        self.settings = settings
        self.logger = logger
        let targets = targets.map { target in
            var logger = logger
            // A single one needs no name.
            if targets.count > 1 { logger[metadataKey: "target"] = "\(target.name)" }
            return ServedTarget(target, rules: rules, postgres: settings.postgres, logger: logger)
        }
        self.targets = targets
        listener =
            settings.listen.isEmpty
            ? nil
            : Listener(
                settings.listen, postgres: settings.postgres, pace: settings.pace,
                checkInterval: settings.captureCheckInterval, logger: logger,
                tables: { Set(targets.flatMap(\.rules.current.rules).map(\.table.value)) })
        board = Board(rules: rules.count)
        changes = RecentChanges(limit: settings.recentChanges)
    }

    /// What logs call it.
    public var description: String { "worker" }

    /// Serves until a graceful shutdown, then finishes what is in flight within the grace period and stores the
    /// cursor. Whatever happens to Postgres or Redis is waited for.
    public func run() async throws {
        try await withThrowingTaskGroup { group in
            for target in targets { group.addTask { await target.run() } }
            try await serve()
            group.cancelAll()
        }
    }

    /// One session after another.
    private func serve() async throws {
        var patience = Patience(
            "Postgres is waited for", why: "Why Postgres is waited for", cap: .seconds(2), steady: .seconds(1),
            logger: logger)
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
                let delay = patience.failed(error, since: start)
                // Anybody may ask why, and the server's words may quote what stands in rows.
                board.set(.waiting, reason: (error as? PostgresError)?.summary ?? "\(error)")
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
            }
        }
    }
}
