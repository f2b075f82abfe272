import Capture
import Delivery
import Logging
import Rules

/// From a batch to what is delivered because of it.
extension Serving {
    func plan(_ batch: Batch, _ floor: ServerTime?, _ begin: Begin) async throws {
        served.board.read(records: batch.records)
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
                countAll(batch.next, begin)
            }
        }
        report(batch.failures)
        for (rule, count) in plan.changes.enumerated() where count > 0 { generation.tallies[rule].fired(count) }
        guard !plan.isEmpty else { return window.pass(batch.next) }
        let ticket = served.freshness.begin(batch.writtenAt, floor: floor)
        let outcome = worker.changes.begin(batch, planner, target: served.name, table: planning.servedTable(ofCapture:))
        deliver(plan, planner, batch.next, begin) { [changes = worker.changes, served] failures in
            changes.served(outcome, failures, lag: served.freshness.served(ticket))
        }
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

    /// Every row of every table that rules name counts as changed.
    private func countAll(_ position: ReadPosition, _ begin: Begin) {
        let (plan, planner) = planning.anyRow()
        deliver(plan, planner, position, begin)
    }

    private func deliver(
        _ plan: Plan, _ planner: Planner, _ position: ReadPosition,
        _ begin: Begin,
        whenServed: @escaping @Sendable ([FailedAction]) -> Void = { _ in }
    ) {
        let repeats = plan.repeats.values.reduce(0) { $0 + $1.count }
        // How many entries wait for their loads is bounded elsewhere, so a batch that has some, or whose lookups may
        // bring some, weighs little; but how many batches wait for the same entry is bounded here.
        let loads = plan.rewarms.isEmpty && plan.lookups.isEmpty ? 0 : 10
        let slow = plan.patterns.count + plan.patternActions.count + plan.actions.count
        let left = slow + repeats + loads + plan.work.newsCount
        let weight = plan.keys.count + plan.lookups.count + plan.rewarms.count + left
        let ticket = window.begin(position, weight: weight)
        served.board.delivers()
        begin {
            do {
                let failures = try await self.parts.deliverer.deliver(
                    plan, planner: planner, onDeleted: { self.window.lighten(ticket, to: left) },
                    onServed: whenServed)
                // What failed on its own account is in Postgres before the batch counts as done.
                try await self.park(failures)
                self.window.finish(ticket)
            } catch is CancellationError {
                // Stopped half-way: the cursor stays before it.
            }
        }
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
