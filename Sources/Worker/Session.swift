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
        /// Where the lead was taken.
        let cluster: Cluster
        /// Minds the doorbell; nil: there is one target, whose reader does.
        var watch: Watch?
    }

    private var settings: WorkerSettings { worker.settings }
    private var logger: Logger { worker.logger }

    /// Returns after a graceful shutdown; throws what ended the session otherwise, whichever target that came from: it
    /// is Postgres that failed.
    func run() async throws {
        let lead = try await cancelWhenGracefulShutdown { try await self.lead() }
        for target in worker.targets { target.resync.reset() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if worker.listener != nil { group.addTask { await worker.listen() } }
            if let watch = lead.watch { group.addTask { try await watch.run() } }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { targets in
                    for target in worker.targets { targets.addTask { try await self.serve(target, lead) } }
                    while try await targets.next() != nil {}
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Serves a target, by new rules too, for as long as the session goes on.
    ///
    /// What served the old rules is let go before the new ones are: it has connections to Postgres, and the doorbell.
    private func serve(_ target: ServedTarget, _ lead: Lead) async throws {
        while !Task.isShuttingDownGracefully {
            do {
                let serving = try await cancelWhenGracefulShutdown { try await makeServing(target, lead) }
                worker.board.serves(target.name, of: worker.targets.count)
                try await serving.run()
            } catch {
                guard Task.isShuttingDownGracefully else { throw error }
                // Others are still finishing what they have in flight.
                return
            }
        }
    }

    /// Connects and takes the lead; with another worker at work that takes as long as it lives.
    private func lead() async throws -> Lead {
        let leader = try await connect()
        // How the worker is woken decides how it leads, so the first look at the capture comes before that.
        let wake = try await CaptureState.read([], leader).wake
        let leadership = Leadership(connection: leader, wake: wake)
        if try await !leadership.tryAcquire() {
            logger.notice("Standing by: another worker leads")
            for target in worker.targets { target.forgetSession() }
            worker.board.set(.standingBy, reason: "another worker leads")
            try await leadership.acquire()
        }
        // The leader also listens and reads, so that nothing is between the ring and the read; but where it leads
        // by an open transaction, another reads.
        let cluster = try await Cluster.read(leader)
        let reader = wake == .notify ? leader : try await connect(cluster)
        try await reader.script(Outbox.sessionSettings, doing: "setting up the reader")
        var lead = Lead(leadership: leadership, reader: reader, wake: wake, cluster: cluster)
        guard worker.targets.count > 1 else { return lead }
        lead.watch = Watch(
            outbox: outbox(on: reader, wake), doorbell: try await doorbell(reader, wake, cluster),
            chimes: Dictionary(worker.targets.map { ($0.name, Chime()) }) { $1 }, executor: reader.taskExecutor)
        return lead
    }

    private func connect() async throws(PostgresError) -> PostgresConnection {
        try await PostgresConnection.connectToPrimary(settings.postgres)
    }

    /// A connection to where the lead was taken: to another server the cursor of this one means nothing.
    private func connect(_ cluster: Cluster) async throws(PostgresError) -> PostgresConnection {
        let connection = try await connect()
        guard try await Cluster.read(connection) == cluster else {
            throw PostgresError(
                code: .disconnected, message: "new connections lead to another server than those before",
                doing: "connecting")
        }
        return connection
    }

    private func outbox(on reader: PostgresConnection, _ wake: Wake) -> Outbox {
        Outbox(connection: reader, pageSize: settings.batchSize, prepares: wake == .notify)
    }

    private func doorbell(
        _ listener: PostgresConnection, _ wake: Wake, _ cluster: Cluster
    ) async throws(PostgresError) -> Doorbell {
        let connections =
            wake == .notify ? Doorbell.Connections(listener: listener, lock: try await connect(cluster)) : nil
        let doorbell = Doorbell(connections, sweep: settings.sweep, pace: settings.pace)
        try await doorbell.open()
        return doorbell
    }

    /// How the reader of a target reads, and learns that there is something to read.
    private func reading(of target: ServedTarget, _ lead: Lead) async throws -> (reader: PostgresConnection, bell: Bell)
    {
        guard let chime = lead.watch?.chimes[target.name] else {
            return (lead.reader, .doorbell(try await doorbell(lead.reader, lead.wake, lead.cluster)))
        }
        let reader = try await connect(lead.cluster)
        try await reader.script(Outbox.sessionSettings, doing: "setting up the reader")
        return (reader, .chime(chime))
    }

    private func makeServing(_ target: ServedTarget, _ lead: Lead) async throws -> Serving {
        let generation = target.rules.current
        let (wake, rules) = (lead.wake, generation.rules)
        let ledger = Ledger(connection: try await connect(lead.cluster), target: target.name)
        let capture = try await CaptureState.read(rules, listening: worker.listening, ledger.connection)
        // A standby may have waited for days.
        guard capture.wake == wake else { throw SessionIsOutdated() }
        generation.rewarmer.use(capture.loaders, prepared: wake == .notify)
        let (reader, bell) = try await reading(of: target, lead)
        let isFirst = target.name == worker.targets.first?.name
        let parts = Serving.Parts(
            outbox: outbox(on: reader, wake), readerExecutor: reader.taskExecutor, bell: bell, ledger: ledger,
            deadLetters: DeadLetters(connection: ledger.connection, policy: target.settings.retry),
            deliverer: Deliverer(
                target: target.target, sweeper: target.sweeper, rewarmer: generation.rewarmer,
                lookups: try await lookups(rules, capture, lead.cluster)),
            housekeeping: isFirst ? Housekeeping(worker: worker, leadership: lead.leadership) : nil)
        let start = try await start(of: target, ledger, generation, capture, lead.cluster.description)
        target.freshness.set(try await ServerClock.read(ledger.connection))
        target.freshness.reset()
        let version = try await reader.query("SHOW server_version", doing: "asking for the version").first?.text(0)
        let faults = capture.problems.count
        target.logger.notice(
            "Serving",
            metadata: [
                "target": "\(target.name)", "rules": "\(rules.count)", "wake": "\(wake.rawValue)",
                "capture": faults == 0 ? "up to date" : "degraded: \(faults)", "postgres": "\(version ?? "")",
                "redis": "\(target.monitor.serverName ?? "not reached yet")",
            ])
        return Serving(parts, start: start, worker: worker, served: target, generation: generation)
    }

    /// Without a table there is no statement for its rule's lookup, which is to fail then and not to be left out.
    private func lookups(
        _ rules: [Rule], _ capture: CaptureState, _ cluster: Cluster
    ) async throws -> LookupRunner? {
        guard rules.contains(where: { $0.lookup != nil }) else { return nil }
        let connection = try await connect(cluster)
        let settings = TextSetting.pinAll + ";" + LookupRunner.settings
        let hasSession = capture.wake == .notify
        if hasSession { try await connection.script(settings, doing: "setting up lookups") }
        return LookupRunner(
            connection: connection, statements: capture.lookups, transactionSettings: hasSession ? nil : settings)
    }

    /// Where a target's cursor stands, and what it means. What was ordered for the target holds again.
    private func start(
        of target: ServedTarget, _ ledger: Ledger, _ generation: RulesInUse.Generation, _ capture: CaptureState,
        _ cluster: String
    ) async throws -> Serving.Start {
        let stored = try await ledger.load()
        let isOther = stored.map { $0.cluster != cluster } ?? false
        var cursor = stored?.cursor
        if isOther {
            target.logger.warning("The cursor is about another database: counting all rows as changed")
            cursor = try await ledger.beginAnew(
                Planning.newestCaptures(generation.rules, capture.manifests), cluster: cluster)
        }
        var state = stored?.state ?? WorkerState()
        // An operator's order is about the target, whatever became of the database.
        if isOther { state = WorkerState(isHeld: state.isHeld) }
        // Install comes before the worker that knows the new rules, so another passed what only they care about.
        let version = generation.rules.version
        let hasNewRules = state.rules.map { $0 != version } ?? false
        if hasNewRules { target.logger.notice("The rules have changed: replaying the window") }
        target.target.hold(target.board.order ?? state.isHeld ?? false)
        target.resync.update { resync in
            resync.restore(isOther ? nil : stored?.resync)
            if hasNewRules, let cursor { resync.replays(from: cursor) }
        }
        return Serving.Start(
            cursor: hasNewRules ? .empty : cursor ?? .empty, cluster: cluster, isReplay: hasNewRules,
            server: stored?.server, state: state, rules: version,
            capture: capture)
    }
}

/// The capture was installed anew in a way that takes another session.
struct SessionIsOutdated: Error, CustomStringConvertible {
    var description: String { "the capture was installed anew" }
}
