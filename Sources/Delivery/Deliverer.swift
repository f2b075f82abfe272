public import Rules

/// Does what a plan asks of one target.
public struct Deliverer: Sendable {
    private let target: Target
    private let sweeper: Sweeper
    private let lookups: LookupRunner?

    /// A deliverer to a target. Without `lookups` no plan may hold any.
    public init(target: Target, sweeper: Sweeper, lookups: LookupRunner?) {
        self.target = target
        self.sweeper = sweeper
        self.lookups = lookups
    }

    /// Returns once everything in the plan has been acknowledged, repeats included, with what failed on its own
    /// account. Trouble of the target is waited for. `onDeleted` is called when the keys are gone for the first
    /// time and only sweeps and repeats are left.
    public func deliver(
        _ plan: Plan, planner: Planner, onDeleted: @Sendable () -> Void = {}
    ) async throws -> [FailedAction] {
        guard !plan.lookups.isEmpty || !plan.patterns.isEmpty || !plan.repeats.isEmpty else {
            // Nearly all plans.
            let failures = try await delete(plan.keys, planner)
            onDeleted()
            return failures
        }
        async let direct = delete(plan.keys, planner)
        let found = try await lookups?.run(plan.lookups, planner: planner) ?? (plan: Plan(), failures: [])
        var failures = found.failures
        failures += try await delete(found.plan.keys, planner)
        failures += try await direct
        onDeleted()
        var whole = plan
        whole.merge(found.plan)
        failures += try await sweep(whole.patterns, planner)
        failures += try await repeating(whole.repeats, planner)
        return failures
    }

    private func repeating(
        _ repeats: [Duration: Deletions], _ planner: Planner
    ) async throws -> [FailedAction] {
        guard !repeats.isEmpty else { return [] }
        let start = ContinuousClock.now
        var failures: [FailedAction] = []
        for (delay, deletions) in repeats.sorted(by: { $0.key < $1.key }) {
            try await Task.sleep(until: start + delay)
            failures += try await delete(deletions.keys, planner)
            failures += try await sweep(deletions.patterns, planner)
        }
        return failures
    }

    private func delete(_ keys: [PlannedKey], _ planner: Planner) async throws -> [FailedAction] {
        guard !keys.isEmpty else { return [] }
        let failures = try await target.delete(keys.map(\.key))
        guard !failures.isEmpty else { return [] }
        let rules = Dictionary(keys.map { ($0.key, $0.rule) }) { first, _ in first }
        return failures.map { failure in
            let rule = rules[failure.key].map { planner.rules[$0].name.value } ?? ""
            return FailedAction(
                rule: rule, action: .delete(key: failure.key.description), reason: failure.reason)
        }
    }

    private func sweep(_ patterns: [PlannedPattern], _ planner: Planner) async throws -> [FailedAction] {
        guard !patterns.isEmpty else { return [] }
        let failures = try await sweeper.sweep(patterns.map(\.pattern))
        guard !failures.isEmpty else { return [] }
        let set = PatternSet(patterns.map(\.pattern))
        return failures.map { failure in
            let matched = set.firstMatch(failure.key.bytes.span).map { set.patterns[$0] }
            let rule = patterns.first { $0.pattern == matched }.map { planner.rules[$0.rule].name.value }
            return FailedAction(
                rule: rule ?? "", action: .delete(key: failure.key.description), reason: failure.reason)
        }
    }
}
