import Capture
import Delivery
import Logging
import Rules

/// From a batch to what is delivered because of it.
extension Serving {
    /// What a batch asks for is worked out where it is delivered: meanwhile the next one is read.
    ///
    /// - Parameter isLate: Whether newer changes may have been served.
    func deliver(_ batch: Batch, _ floor: ServerTime?, isLate: Bool, _ begin: Begin) {
        served.board.read(records: batch.records)
        guard batch.records > 0 else { return window.pass(batch.next) }
        // Until it is known what they ask for, changes have their images, which take more memory than keys.
        let ticket = window.begin(batch.next, weight: 10 * batch.changeCount)
        let age = served.freshness.begin(batch.writtenAt, floor: floor)
        // What is served once more because somebody ordered that comes behind whatever was served since.
        let isLate = isLate || !batch.replayed.isEmpty
        // Its images are let go as soon as it is planned, however long the delivery takes.
        let handover = Handover(batch)
        begin {
            guard let batch = handover.take() else { return }
            do {
                try await self.deliver(batch, ticket, age, isLate: isLate)
            } catch is CancellationError {
                // Stopped half-way: the cursor stays before it.
            } catch {
                self.failedDelivery.resolve(.failure(error))
            }
        }
    }

    private func deliver(
        _ batch: consuming Batch, _ ticket: InFlightWindow.Ticket, _ age: Freshness.Ticket, isLate: Bool
    ) async throws {
        var planner = planner(isLate: isLate)
        var plan = self.plan(batch, planner)
        if !plan.unknownCaptures.isEmpty {
            planning.reload(try await CaptureState.manifests(parts.ledger.connection))
            planner = self.planner(isLate: isLate)
            plan = self.plan(batch, planner)
            examinationIsDue.withLock { $0 = true }
            if !plan.unknownCaptures.isEmpty {
                logger.error("Records of an unknown capture: counting all rows as changed")
                plan.merge(planning.anyRow())
            }
        }
        report(batch.failures)
        for (rule, count) in plan.changes.enumerated() where count > 0 { generation.tallies[rule].fired(count) }
        guard !plan.isEmpty else {
            served.freshness.end(age)
            return window.finish(ticket)
        }
        let outcome = worker.changes.begin(batch, planner, target: served.name, table: planning.servedTable(ofCapture:))
        try await deliver(plan, planner, ticket) { [changes = worker.changes, served] failures in
            changes.served(outcome, failures, lag: served.freshness.served(age))
        }
    }

    /// The planner of changes that came in their order, or of such that newer ones may have been served before.
    func planner(isLate: Bool) -> Planner {
        var planner = planning.planner
        planner.isLate = isLate
        return planner
    }

    /// What is served once more may concern others than us, or one rule alone.
    private func plan(_ batch: Batch, _ planner: Planner) -> Plan {
        var plan = planner.plan(batch.changes)
        for (scope, changes) in batch.replayed where scope.target ?? served.name == served.name {
            guard let name = scope.rule else {
                plan.merge(planner.plan(changes))
                continue
            }
            // A rule that is gone since asks for nothing.
            guard let rule = planner.rules.firstIndex(where: { $0.name.value == name }) else { continue }
            plan.merge(planner.plan(changes, only: rule))
        }
        return plan
    }

    /// A capture that fails costs the application nothing, and must not stay unnoticed.
    func report(_ failures: [CaptureFailure]) {
        guard !failures.isEmpty else { return }
        examinationIsDue.withLock { $0 = true }
        // One that was replaced since has been mended.
        for failure in Set(failures) where !planning.isSuperseded(capture: failure.capture) {
            guard let table = planning.servedTable(ofCapture: failure.capture) else { continue }
            let isNew = upkeep.withLock { $0.failed(table, failure.reason, at: .now) }
            guard isNew else { continue }
            logger.error(
                "A capture could not tell which rows changed: its keys go by pattern; see 'unstale status'",
                metadata: ["table": "\(table)"])
            // Where a row is at fault, Postgres quotes its values.
            logger.debug(
                "Why a capture could not tell which rows changed",
                metadata: ["table": "\(table)", "reason": "\(failure.reason)"])
        }
    }

    private func deliver(
        _ plan: Plan, _ planner: Planner, _ ticket: InFlightWindow.Ticket,
        whenServed: @escaping @Sendable ([FailedAction]) -> Void
    ) async throws {
        window.weigh(ticket, plan.keys.count + plan.lookups.count + plan.rewarms.count + plan.weightOfTheRest)
        served.board.delivers()
        let failures = try await parts.deliverer.deliver(
            plan, planner: planner, onDeleted: { self.window.weigh(ticket, $0.weightOfTheRest) },
            onServed: { plan, failures in
                self.window.weigh(ticket, plan.weightOfRepeats)
                whenServed(failures)
            })
        // What failed on its own account is in Postgres before the batch counts as done.
        try await park(failures)
        window.finish(ticket)
    }

    func park(_ failures: [FailedAction]) async throws {
        guard !failures.isEmpty else { return }
        try await parts.deadLetters.park(failures, target: served.name)
        for failure in failures {
            served.tally.rule(failure.rule).failed(isDead: served.settings.retry.attempts <= 1)
            logger.warning(
                "An action failed and will be tried again",
                metadata: ["rule": "\(failure.rule)", "reason": "\(failure.summary)"])
            log(failure)
        }
    }

    /// The action and its whole reason have keys and perhaps values in them.
    func log(_ failure: FailedAction) {
        logger.debug(
            "Why an action failed",
            metadata: [
                "rule": "\(failure.rule)", "action": "\(failure.action)", "reason": "\(failure.reason)",
            ])
    }
}

extension Plan {
    /// What it weighs in the window when its keys are gone.
    fileprivate var weightOfTheRest: Int {
        // How many entries wait for their loads is bounded elsewhere, so a batch that has some, or whose lookups may
        // bring some, weighs little; but how many batches wait for the same entry is bounded here.
        let loads = rewarms.isEmpty && lookups.isEmpty ? 0 : 10
        return patterns.count + patternActions.count + actions.count + work.newsCount + loads + weightOfRepeats
    }

    /// What waits to be repeated is in memory and nothing else, so a tenth of it counts: others aren't held up by it.
    fileprivate var weightOfRepeats: Int { (repeats.values.reduce(0) { $0 + $1.count } + 9) / 10 }
}
