import Capture
import Delivery
import Logging
import Postgres
import Rules
import ServiceLifecycle
import Synchronization

/// The worker's life with one set of connections to Postgres: from taking the lead until one of them fails or
/// the worker is told to stop.
struct Session: Sendable {
    let worker: Worker

    private struct Lead {
        let leadership: Leadership
        let reader: PostgresConnection
        let wake: Wake
    }

    private var settings: WorkerSettings { worker.settings }
    private var logger: Logger { worker.logger }

    /// Returns after a graceful shutdown; throws what ended the session otherwise. New rules are served under the
    /// same lead.
    func run() async throws {
        let lead = try await cancelWhenGracefulShutdown { try await self.lead() }
        try await withThrowingTaskGroup { group in
            group.addTask { await worker.listen() }
            while !Task.isShuttingDownGracefully {
                let generation = worker.rules.current
                try await cancelWhenGracefulShutdown { try await makeService(lead, generation) }.run()
            }
            group.cancelAll()
        }
    }

    /// Connects and takes the lead; with another worker at work that takes as long as it lives.
    private func lead() async throws -> Lead {
        let leader = try await connect()
        // How the worker is woken decides how it leads, so the first look at the capture comes before that.
        let wake = try await CaptureState.read(worker.rules.current.rules, leader).wake
        let leadership = Leadership(connection: leader, wake: wake)
        if try await !leadership.tryAcquire() {
            logger.notice("Standing by: another worker leads")
            worker.board.set(.standingBy, reason: "another worker leads")
            try await leadership.acquire()
        }
        // The leader also listens and reads, so that nothing is between the ring and the read; but where it leads
        // by an open transaction, another reads.
        return Lead(leadership: leadership, reader: wake == .notify ? leader : try await connect(), wake: wake)
    }

    private func connect() async throws(PostgresError) -> PostgresConnection {
        try await PostgresConnection.connect(settings.postgres)
    }

    private func makeService(_ lead: Lead, _ generation: RulesInUse.Generation) async throws -> Serving {
        let (reader, wake, rules) = (lead.reader, lead.wake, generation.rules)
        try await reader.script(Outbox.sessionSettings, doing: "setting up the reader")
        let ledger = Ledger(connection: try await connect(), target: settings.target)
        let capture = try await CaptureState.read(rules, listening: worker.listening, ledger.connection)
        // A standby may have waited for days.
        guard capture.wake == wake else { throw SessionIsOutdated() }
        generation.rewarmer.use(capture.loaders, prepared: wake == .notify)
        var lookups: LookupRunner?
        if !capture.lookups.isEmpty {
            let connection = try await connect()
            try await connection.script(
                TextSetting.pinAll + ";" + LookupRunner.sessionSettings, doing: "setting up lookups")
            lookups = LookupRunner(connection: connection, statements: capture.lookups)
        }
        let connections =
            wake == .notify ? Doorbell.Connections(listener: reader, lock: try await connect()) : nil
        let doorbell = Doorbell(connections, sweep: settings.sweep, pace: settings.pace)
        try await doorbell.open()

        let cluster = try await Cluster.read(reader).description
        let stored = try await ledger.load()
        let isOther = stored.map { $0.cluster != cluster } ?? false
        let state = isOther ? WorkerState() : WorkerState.decode(stored?.state ?? "{}")
        // Install comes before the worker that knows the new rules, so another passed what only they care about.
        let hasNewRules = state.rules.map { $0 != rules.version } ?? false
        if hasNewRules { logger.notice("The rules have changed: replaying the window") }
        worker.target.hold(worker.board.order ?? state.isHeld ?? false)
        worker.freshness.set(try await ServerClock.read(ledger.connection))
        worker.freshness.reset()
        let start = Serving.Start(
            cursor: isOther || hasNewRules ? .empty : stored?.cursor ?? .empty, cluster: cluster,
            isOtherCluster: isOther, isReplay: hasNewRules, server: stored?.server, state: state,
            rules: rules.version, capture: capture)
        let parts = Serving.Parts(
            leadership: lead.leadership,
            outbox: Outbox(
                connection: reader, pageSize: settings.batchSize, prepares: wake == .notify),
            readerExecutor: reader.taskExecutor, doorbell: doorbell, ledger: ledger,
            deadLetters: DeadLetters(connection: ledger.connection, policy: settings.retry),
            deliverer: Deliverer(
                target: worker.target, sweeper: worker.sweeper, rewarmer: generation.rewarmer, lookups: lookups))
        let version = try await reader.query("SHOW server_version", doing: "asking for the version").first?.text(0)
        let faults = capture.problems.count
        logger.notice(
            "Serving",
            metadata: [
                "target": "\(settings.target)", "rules": "\(rules.count)", "wake": "\(wake)",
                "capture": faults == 0 ? "up to date" : "degraded: \(faults)", "postgres": "\(version ?? "")",
                "redis": "\(worker.monitor.serverName ?? "not reached yet")",
            ])
        worker.board.set(.leading)
        return Serving(parts, start: start, worker: worker, generation: generation)
    }
}

/// The capture was installed anew in a way that takes another session.
struct SessionIsOutdated: Error, CustomStringConvertible {
    var description: String { "the capture was installed anew" }
}
