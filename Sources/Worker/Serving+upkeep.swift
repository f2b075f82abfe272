import Capture
import Delivery
import FoundationEssentials
import Logging
import ServiceLifecycle

extension Serving {
    /// Everything that is done by the clock: stores the cursor twice a second while batches are done, looks at the
    /// capture now and then, and keeps house. One loop, so that an idle worker wakes up little.
    func keepUp() async throws -> Never {
        var schedule = LedgerSchedule()
        var examined: ContinuousClock.Instant?
        var tidied = ContinuousClock.now
        var counted = ContinuousClock.now
        while true {
            // Before the cursor, so that what is done in between counts the next time.
            let progress = window.progress
            noteServed()
            let entry = entry()
            let isDue = schedule.isDue(entry, progress: progress, at: .now)
            if isDue {
                try await parts.ledger.store(entry)
                schedule.stored(entry, progress: progress, at: .now)
            }
            if examined.map({ .now - $0 >= settings.captureCheckInterval }) ?? true || takeExaminationIsDue() {
                try await examineCapture()
                served.freshness.set(try await ServerClock.read(parts.ledger.connection))
                examined = .now
            }
            if .now - counted >= .seconds(5) {
                try await countWork()
                counted = .now
            }
            try await keepUpResync()
            if let housekeeping = parts.housekeeping {
                if .now - tidied >= settings.reclaimInterval {
                    try await tidy(housekeeping)
                    tidied = .now
                }
                try await housekeeping.leadership.confirm()
            }
            try await Task.sleep(for: isDue ? .milliseconds(500) : .seconds(1))
        }
    }

    /// By the server's clock, which all who may lead have in common.
    private func noteServed() {
        guard let now = served.freshness.now else { return }
        let cursor = window.acknowledged.snapshot
        let isReached = served.monitor.pausedReason == nil
        upkeep.withLock { $0.served(cursor, at: now, isReached: isReached) }
    }

    private func tidy(_ housekeeping: Housekeeping) async throws {
        guard let now = served.freshness.now else { return }
        let window = upkeep.withLock { $0.replayWindow }
        try await housekeeping.tidy(parts.ledger.connection, at: now, window: window)
    }

    /// What others than us would have to be asked for: records that wait in the outbox, and parked actions.
    private func countWork() async throws {
        let isBehind = isBehind.withLock { $0 }
        let all = isBehind ? try await parts.ledger.backlog(behind: window.acknowledged.snapshot) : 0
        served.freshness.set(unread: max(0, all - served.freshness.unserved))
        let letters = try await parts.deadLetters.counts(target: served.name)
        served.board.set(retrying: letters.retrying, dead: letters.dead)
    }

    /// Stores the cursor a last time. A Postgres that doesn't answer must not hold up the end for long.
    func storeCursor() async throws {
        try await parts.ledger.store(entry(), deadline: .seconds(2))
    }

    /// The server first, then the cursor: where another Redis was found, the cursor is moved back before that Redis
    /// counts as the one that the cursor is about.
    private func entry() -> Ledger.Entry {
        let (server, known) = upkeep.withLock { upkeep in
            (upkeep.server, upkeep.state(pausedReason: served.monitor.pausedReason, worker: Worker.name))
        }
        var state = known
        state.rules = start.rules
        state.isHeld = served.target.isHeld ? true : nil
        let rewarms = generation.rewarmer.statistics
        state.rewarms = rewarms == RewarmStatistics() ? nil : rewarms
        state.index = served.sweeper.indexStatus?.summary
        return Ledger.Entry(
            cursor: window.acknowledged.snapshot, cluster: start.cluster, server: server, state: state)
    }

    /// A record told that its capture had failed, or is one that the planner did not know.
    private func takeExaminationIsDue() -> Bool {
        examinationIsDue.withLock { due in
            defer { due = false }
            return due
        }
    }

    private func examineCapture() async throws {
        let capture = try await CaptureState.read(
            planning.planner.rules, listening: worker.listening, parts.ledger.connection)
        // How writers ring, and of which types the lookups' parameters are, is settled for the session.
        guard capture.wake == start.capture.wake,
            capture.lookups.mapValues(\.sql) == start.capture.lookups.mapValues(\.sql)
        else { throw SessionIsOutdated() }
        generation.rewarmer.use(capture.loaders, prepared: capture.wake == .notify)
        planning.reload(capture.manifests)
        report(upkeep.withLock { $0.examined(capture, at: .now) })
        served.board.set(problems: upkeep.withLock { $0.problems })
        try await repair(upkeep.withLock { $0.gaps })
    }

    /// Every row of the tables whose capture had a gap counts as changed.
    private func repair(_ gaps: Set<String>) async throws {
        guard !gaps.isEmpty else { return }
        try await parts.ledger.countAsChanged(planning.newestCaptures(of: gaps))
        upkeep.withLock { $0.repaired() }
        logger.notice(
            "The capture had a gap: counting all rows as changed",
            metadata: ["tables": "\(gaps.sorted().joined(separator: ", "))"])
        parts.bell.endWait()
    }

    private func report(_ change: (new: [WorkerState.Problem], over: [WorkerState.Problem])) {
        for problem in change.new {
            logger.error("Degraded", metadata: ["table": "\(problem.table)", "reason": "\(problem.summary)"])
        }
        for problem in change.over {
            logger.notice(
                "No longer degraded", metadata: ["table": "\(problem.table)", "was": "\(problem.summary)"])
        }
    }
}
