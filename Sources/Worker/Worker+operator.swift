import Delivery
import FoundationEssentials
public import Rules

/// What an operator is told, and may order.
extension Worker {
    /// How it stands.
    public var status: WorkerStatus {
        let (state, reason) = board.current
        let generation = rules.current
        return WorkerStatus(
            worker: Self.name, startedAt: board.startedAt, state: state, reason: reason,
            rules: WorkerStatus.Rules(
                count: generation.rules.count, loadedAt: generation.loadedAt, refused: board.refused),
            degraded: board.degraded, targets: [report(generation)])
    }

    /// Serves these rules from now on: what is under way is finished, and the window of records is replayed by the
    /// new ones where they ask for something else.
    public func reload(_ rules: [Rule]) {
        board.set(refused: [])
        self.rules.replace(with: rules)
    }

    /// Newer rules were refused, for these reasons, a line each; the old ones go on.
    public func refuse(_ reasons: [String]) { board.set(refused: reasons) }

    /// Leaves the target alone, or no longer. Only the worker that leads takes that order, and those that lead after
    /// it keep to it; false: this one doesn't lead.
    public func hold(_ isHeld: Bool) -> Bool {
        guard board.current.state == .leading else { return false }
        board.set(order: isHeld)
        target.hold(isHeld)
        logger.notice(isHeld ? "Paused by an operator" : "Resumed by an operator")
        return true
    }

    /// Host and process.
    static let name = "\(ProcessInfo.processInfo.hostName) \(ProcessInfo.processInfo.processIdentifier)"

    private func report(_ generation: RulesInUse.Generation) -> TargetReport {
        let (lag, backlog) = freshness.backlog
        let letters = board.letters
        let lines = generation.rules.map { rule in
            let counts = tally.rule(rule.name.value).counts
            return TargetReport.RuleReport(
                name: rule.name.value, changes: counts.changes, keysDeleted: counts.keysDeleted,
                patterns: counts.patterns, rewarmed: counts.rewarmed, failures: counts.failures)
        }
        var totals = board.totals
        for line in lines {
            totals.changes += line.changes
            totals.keysDeleted += line.keysDeleted
            totals.rewarmed += line.rewarmed
            totals.failures += line.failures
        }
        totals.keysSwept = sweeper.statistics.keysMatched
        return TargetReport(
            name: settings.target, redis: "\(target.url)", state: TargetReport.State(target.state),
            reason: monitor.pausedReason, isHeld: target.isHeld, lagSeconds: lag / .seconds(1),
            slowestSeconds: freshness.slowest / .seconds(1), backlog: backlog,
            retrying: letters.retrying, deadLetters: letters.dead, totals: totals, rules: lines,
            rewarms: generation.rewarmer.statistics)
    }
}

extension TargetReport.State {
    init(_ state: TargetState) {
        self =
            switch state {
            case .connecting: .connecting
            case .connected: .connected
            case .paused: .paused
            }
    }
}
