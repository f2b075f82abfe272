import Capture
import Delivery
import Logging
import Postgres
import Redis
import Rules
import ServiceLifecycle
import Synchronization

/// Serves the outbox to a target: reads batches, plans them, has several at a time delivered, and remembers how
/// far everything is done.
final class Serving: Sendable {
    /// What a session serves with.
    struct Parts: Sendable {
        let outbox: Outbox
        /// Where the reader's connection runs: the reader does too.
        let readerExecutor: any TaskExecutor
        let bell: Bell
        let ledger: Ledger
        let deadLetters: DeadLetters
        let deliverer: Deliverer
        /// What this target's server does for all targets; nil: another one's does.
        let housekeeping: Housekeeping?
    }

    /// Where a session begins.
    struct Start: Sendable {
        var cursor: Snapshot
        var cluster: String
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
    let served: ServedTarget
    let worker: Worker
    let generation: RulesInUse.Generation
    let window: SharedWindow
    let planning: Planning
    let upkeep: Mutex<UpkeepState>
    /// The next look at the capture is due at once.
    let examinationIsDue = Mutex(true)
    /// There are records that were not even read.
    let isBehind = Mutex(false)
    /// What ends the session: a delivery found that Postgres has failed. Nobody waits for deliveries otherwise.
    let failedDelivery = OneShot<Void, any Error>(cancellation: CancellationError())
    /// The numbers of parked actions that are being tried again.
    let lettersUnderWay = Mutex(Set<Int>())

    init(_ parts: Parts, start: Start, worker: Worker, served: ServedTarget, generation: RulesInUse.Generation) {
        self.parts = parts
        self.start = start
        self.served = served
        self.worker = worker
        self.generation = generation
        window = SharedWindow(InFlightWindow(at: ReadPosition(start.cursor), limit: worker.settings.inFlightLimit))
        planning = Planning(rules: generation.rules, manifests: start.capture.manifests)
        upkeep = Mutex(UpkeepState(server: start.server, state: start.state, replayWindow: start.capture.replayWindow))
    }

    var settings: WorkerSettings { worker.settings }

    var logger: Logger { served.logger }

    /// Starts a delivery that goes on while the reader reads.
    typealias Begin = (@escaping @Sendable () async -> Void) -> Void

    /// Returns after a graceful shutdown, or when there are newer rules, when what was in flight is done or the grace
    /// period is over.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.keepUp() }
            group.addTask { try await self.retryParked() }
            group.addTask { try await self.serveChanges() }
            group.addTask { try await self.failedDelivery.value() }
            group.addTask {
                try await gracefulShutdown()
                try await self.stop(within: self.settings.gracePeriod)
            }
            group.addTask {
                try await self.served.rules.waitForNewer(than: self.generation)
                // Nobody is served meanwhile. What isn't done by then is read again.
                try await self.stop(within: min(.milliseconds(500), self.settings.gracePeriod))
            }
            try await group.next()
            group.cancelAll()
        }
        try await storeCursor()
    }

    /// Reads no more, and returns when this time is over, in which what is in flight may end.
    private func stop(within grace: Duration) async throws {
        window.close()
        served.resync.look()
        parts.bell.endWait()
        generation.rewarmer.stop(within: min(.seconds(1), grace / 2))
        // `run()` cancels this when all is done before.
        try await Task.sleep(for: grace)
    }

    private func serveChanges() async throws {
        try await withThrowingDiscardingTaskGroup { deliveries in
            try await withTaskExecutorPreference(parts.readerExecutor) {
                // Its thread waits for the doorbell, so deliveries run on another.
                try await self.read { work in
                    deliveries.addTask(executorPreference: self.served.target.executor) { await work() }
                }
            }
            await window.waitUntilEmpty()
            deliveries.cancelAll()
        }
    }

    /// Reads until the window is closed, and has each batch delivered by `begin`.
    private func read(_ begin: Begin) async throws {
        var position = ReadPosition(start.cursor)
        // Everything that was committed before had been read, or is old and read once more.
        var floor = start.isReplay ? served.freshness.now : nil
        // Records come by their transactions' numbers. So what is read once more, or in several pages, may come behind
        // what was committed after it; and the last session may have ended between two pages.
        var isLate = true
        if start.isReplay { served.board.replays() }
        while !window.isClosed {
            // Who waits for room is not told of it otherwise.
            try Task.checkCancellation()
            if let another = anotherServer() {
                logger.notice("Redis is another one or has restarted: replaying the window")
                served.resync.update { $0.replays(from: window.acknowledged.snapshot) }
                position = ReadPosition(.empty)
                window.reset(to: position)
                served.board.replays()
                served.freshness.reset()
                floor = served.freshness.now
                isLate = true
                upkeep.withLock { $0.server = another }
            }
            if served.resync.current.isPending {
                isBehind.withLock { $0 = true }
                try await parts.bell.standDown()
                guard try await isToResync() else { continue }
                position = try await resync()
                floor = served.freshness.now
                // Which Redis it is that came back is still to be looked at.
                continue
            }
            guard !window.isFull else {
                isBehind.withLock { $0 = true }
                try await parts.bell.standDown()
                await window.waitForRoom()
                continue
            }
            let now = served.freshness.now
            let batch = try await parts.outbox.read(from: position)
            position = batch.next
            isBehind.withLock { $0 = batch.isFull }
            isLate = isLate || batch.isFull
            deliver(batch, floor, isLate: isLate, begin)
            if !batch.isFull { (floor, isLate) = (now, false) }
            try await parts.bell.didRead(batch)
            if !batch.isFull { try await parts.bell.wait() }
        }
        // The reader of newer rules is to arm the doorbell, and until then nobody needs to ring.
        if !Task.isShuttingDownGracefully { try await parts.bell.standDown() }
    }

    /// The Redis that was reached, if it is another than the one that acknowledged what is behind the cursor: it may
    /// have forgotten deletes, so the window is to be replayed.
    private func anotherServer() -> String? {
        guard let reached = served.monitor.nextServer() else { return nil }
        return upkeep.withLock { upkeep in
            guard let served = upkeep.server else {
                upkeep.server = reached
                return nil
            }
            return served == reached ? nil : reached
        }
    }
}
