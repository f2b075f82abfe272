import Delivery

/// What an operator is told of a target.
extension ServedTarget {
    /// How it stands.
    var report: TargetReport {
        let generation = rules.current
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
            name: name, redis: "\(target.url)", state: TargetReport.State(target.state),
            reason: monitor.pausedReason, isHeld: target.isHeld, needsResync: resync.current.isPending,
            lagSeconds: lag / .seconds(1), slowestSeconds: freshness.slowest / .seconds(1), backlog: backlog,
            retrying: letters.retrying, deadLetters: letters.dead, totals: totals, rules: lines,
            rewarms: generation.rewarmer.statistics, index: sweeper.indexStatus)
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
