import Capture
import Delivery
import Logging
import Postgres
import Rules
import ServiceLifecycle
import Synchronization

/// Serves the outbox to the target: reads batches, plans them, has several at a time delivered, and remembers how
/// far everything is done.
final class Serving: Sendable {
    /// What a session serves with.
    struct Parts: Sendable {
        let leadership: Leadership
        let outbox: Outbox
        /// Where the reader's connection runs: the reader does too.
        let readerExecutor: any TaskExecutor
        let doorbell: Doorbell
        let ledger: Ledger
        let deadLetters: DeadLetters
        let deliverer: Deliverer
    }

    /// Where a session begins.
    struct Start: Sendable {
        var cursor: Snapshot
        var cluster: String
        /// The stored cursor is another cluster's and means nothing here.
        var isOtherCluster: Bool
        /// The window is replayed.
        var isReplay: Bool
        /// The Redis that the cursor is about, as JSON; nil: none was served yet.
        var server: String?
        var state: WorkerState
        /// Which rules are served.
        var rules: String
        var capture: CaptureState
    }

    let parts: Parts
    let start: Start
    let worker: Worker
    let generation: RulesInUse.Generation
    let window: SharedWindow
    let planning: Planning
    let upkeep: Mutex<UpkeepState>
    /// Whether the ledger may name the cluster: not before all rows of another one have counted as changed.
    let isStorable: Mutex<Bool>
    /// The next look at the capture is due at once.
    let examinationIsDue = Mutex(true)
    /// There are records that were not even read.
    let isBehind = Mutex(false)

    init(_ parts: Parts, start: Start, worker: Worker, generation: RulesInUse.Generation) {
        self.parts = parts
        self.start = start
        self.worker = worker
        self.generation = generation
        window = SharedWindow(InFlightWindow(at: ReadPosition(start.cursor), limit: worker.settings.inFlightLimit))
        planning = Planning(rules: generation.rules, manifests: start.capture.manifests)
        isStorable = Mutex(!start.isOtherCluster)
        upkeep = Mutex(UpkeepState(server: start.server, state: start.state))
    }

    var settings: WorkerSettings { worker.settings }
    var logger: Logger { worker.logger }

    /// Starts a delivery that goes on while the reader reads.
    private typealias Begin = (@escaping @Sendable () async throws -> Void) -> Void

    /// Returns after a graceful shutdown, or when there are newer rules, when what was in flight is done or the grace
    /// period is over.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.keepUp() }
            group.addTask { try await self.retryParked() }
            group.addTask { try await self.serveChanges() }
            group.addTask {
                try await gracefulShutdown()
                try await self.stop()
            }
            group.addTask {
                try await self.worker.rules.waitForNewer(than: self.generation)
                try await self.stop()
            }
            try await group.next()
            group.cancelAll()
        }
        try await storeCursor()
    }

    /// Reads no more, and returns when the grace period is over.
    private func stop() async throws {
        window.close()
        parts.doorbell.endWait()
        generation.rewarmer.stop(within: min(.seconds(1), settings.gracePeriod / 2))
        try await Task.sleep(for: settings.gracePeriod)
    }

    private func serveChanges() async throws {
        try await withThrowingDiscardingTaskGroup { deliveries in
            try await withTaskExecutorPreference(parts.readerExecutor) {
                // Its thread waits for the doorbell, so deliveries run on others.
                try await self.read { work in
                    deliveries.addTask(executorPreference: globalConcurrentExecutor) { try await work() }
                }
            }
            await window.waitUntilEmpty()
            deliveries.cancelAll()
        }
    }

    /// Reads until the window is closed, and has each batch delivered by `start`.
    private func read(_ begin: Begin) async throws {
        var position = ReadPosition(start.cursor)
        // Everything that was committed before had been read, or is old and read once more.
        var floor = start.isReplay || start.isOtherCluster ? worker.freshness.now : nil
        if start.isReplay { worker.board.replays() }
        if start.isOtherCluster {
            logger.warning("The cursor is about another database: counting all rows as changed")
            repairAll(position, begin)
        }
        while !window.isClosed {
            if let another = anotherServer() {
                logger.notice("Redis is another one or has restarted: replaying the window")
                position = ReadPosition(.empty)
                window.reset(to: position)
                worker.board.replays()
                worker.freshness.reset()
                floor = worker.freshness.now
                upkeep.withLock { $0.server = another }
            }
            repairPending(position, begin)
            guard !window.isFull else {
                isBehind.withLock { $0 = true }
                try await parts.doorbell.standDown()
                await window.waitForRoom()
                continue
            }
            let now = worker.freshness.now
            let batch = try await parts.outbox.read(from: position)
            position = batch.next
            isBehind.withLock { $0 = batch.isFull }
            try await plan(batch, floor, begin)
            if !batch.isFull { floor = now }
            try await parts.doorbell.didRead(batch)
            if !batch.isFull { try await parts.doorbell.wait() }
        }
    }

    /// The Redis that was reached, if it is another than the one that acknowledged what is behind the cursor: it may
    /// have forgotten deletes, so the window is to be replayed.
    private func anotherServer() -> String? {
        guard let reached = worker.monitor.server else { return nil }
        return upkeep.withLock { upkeep in
            guard let served = upkeep.server else {
                upkeep.server = reached
                return nil
            }
            return served == reached ? nil : reached
        }
    }

    private func plan(_ batch: Batch, _ floor: ServerTime?, _ begin: Begin) async throws {
        worker.board.read(records: batch.records)
        guard batch.records > 0 else { return window.pass(batch.next) }
        var planner = planning.planner
        var plan = self.plan(batch, planner)
        if !plan.unknownCaptures.isEmpty {
            planning.reload(try await CaptureState.manifests(parts.ledger.connection))
            planner = planning.planner
            plan = self.plan(batch, planner)
            examinationIsDue.withLock { $0 = true }
            if !plan.unknownCaptures.isEmpty {
                logger.error("Records of an unknown capture: counting all rows as changed")
                repairAll(batch.next, begin)
            }
        }
        report(batch.failures)
        for (rule, count) in plan.changes.enumerated() where count > 0 { generation.tallies[rule].fired(count) }
        guard !plan.isEmpty else { return window.pass(batch.next) }
        let ticket = worker.freshness.begin(batch.writtenAt, floor: floor)
        let outcome = worker.changes.begin(batch, planner, table: planning.table(ofCapture:))
        deliver(plan, planner, batch.next, begin) { [worker] failures in
            worker.changes.served(outcome, failures, lag: worker.freshness.served(ticket))
        }
    }

    /// What is served once more may concern others than us, or one rule alone.
    private func plan(_ batch: Batch, _ planner: Planner) -> Plan {
        var plan = planner.plan(batch.changes)
        for (scope, changes) in batch.replayed where scope.target ?? settings.target == settings.target {
            let rule = scope.rule.map { name in planner.rules.firstIndex { $0.name.value == name } }
            // A rule that is gone since asks for nothing.
            if rule != .some(nil) { plan.merge(planner.plan(changes, only: rule ?? nil)) }
        }
        return plan
    }

    /// A capture that fails costs the application nothing, and must not stay unnoticed.
    private func report(_ failures: [CaptureFailure]) {
        guard !failures.isEmpty else { return }
        examinationIsDue.withLock { $0 = true }
        // One that was replaced since has been mended.
        for failure in Set(failures) where !planning.isSuperseded(capture: failure.capture) {
            let table = planning.table(ofCapture: failure.capture)
            let isNew = upkeep.withLock { $0.failed(table, failure.reason, at: .now) }
            guard isNew else { continue }
            logger.error(
                "A capture could not tell which rows changed: its keys go by pattern",
                metadata: ["table": "\(table)", "reason": "\(failure.reason)"])
        }
    }

    /// Every row of the tables whose capture had a gap counts as changed.
    private func repairPending(
        _ position: ReadPosition, _ begin: Begin
    ) {
        let pending = upkeep.withLock { $0.takePending() }
        guard !pending.isEmpty else { return }
        let tables = Set(pending.keys)
        logger.notice(
            "The capture had a gap: counting all rows as changed",
            metadata: ["tables": "\(tables.sorted().joined(separator: ", "))"])
        let (plan, planner) = planning.anyRow(of: tables)
        deliver(plan, planner, position, begin, whenDone: { self.upkeep.withLock { $0.repaired(pending) } })
    }

    private func repairAll(
        _ position: ReadPosition, _ begin: Begin
    ) {
        let (plan, planner) = planning.anyRow()
        deliver(plan, planner, position, begin, whenDone: { self.isStorable.withLock { $0 = true } })
    }

    private func deliver(
        _ plan: Plan, _ planner: Planner, _ position: ReadPosition,
        _ begin: Begin,
        whenServed: @escaping @Sendable ([FailedAction]) -> Void = { _ in },
        whenDone: @escaping @Sendable () -> Void = {}
    ) {
        let repeats = plan.repeats.values.reduce(0) { $0 + $1.keys.count + $1.patterns.count + $1.rewarms.count }
        // How many entries wait for their loads is bounded elsewhere, so a batch that has some, or whose lookups may
        // bring some, weighs little; but how many batches wait for the same entry is bounded here.
        let loads = plan.rewarms.isEmpty && plan.lookups.isEmpty ? 0 : 10
        let left = plan.patterns.count + repeats + loads
        let weight = plan.keys.count + plan.lookups.count + plan.rewarms.count + left
        let ticket = window.begin(position, weight: weight)
        worker.board.delivers()
        begin {
            do {
                let failures = try await self.parts.deliverer.deliver(
                    plan, planner: planner, onDeleted: { self.window.lighten(ticket, to: left) },
                    onServed: whenServed)
                // What failed on its own account is in Postgres before the batch counts as done.
                try await self.park(failures)
                whenDone()
                self.window.finish(ticket)
            } catch is CancellationError {
                // Stopped half-way: the cursor stays before it.
            }
        }
    }

    func park(_ failures: [FailedAction]) async throws {
        guard !failures.isEmpty else { return }
        try await parts.deadLetters.park(failures, target: settings.target)
        for failure in failures {
            worker.tally.rule(failure.rule).failed(isDead: settings.retry.attempts <= 1)
            logger.warning(
                "An action failed and will be tried again",
                metadata: ["rule": "\(failure.rule)", "reason": "\(failure.reason)"])
        }
    }
}
