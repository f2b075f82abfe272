public import Rules

/// Does what a plan asks of one target.
public struct Deliverer: Sendable {
    let target: Target
    let sweeper: Sweeper
    private let rewarmer: Rewarmer
    private let lookups: LookupRunner?
    /// By the rules' numbers.
    let tallies: [RuleTally]

    /// A deliverer to a target. Without `lookups` no plan may hold any.
    public init(target: Target, sweeper: Sweeper, rewarmer: Rewarmer, lookups: LookupRunner?) {
        tallies = rewarmer.tallies
        self.target = target
        self.sweeper = sweeper
        self.rewarmer = rewarmer
        self.lookups = lookups
    }

    /// Returns once everything in the plan has been acknowledged, repeats included, with what failed on its own
    /// account. Trouble of the target is waited for. `onDeleted` is called when the keys are gone for the first
    /// time and only loads, sweeps, tags and repeats are left, `onServed` when only repeats are; both with the plan and
    /// what its lookups have found.
    public func deliver(
        _ plan: Plan, planner: Planner, onDeleted: @Sendable (Plan) -> Void = { _ in },
        onServed: @Sendable (Plan, [FailedAction]) -> Void = { _, _ in }
    ) async throws -> [FailedAction] {
        guard !plan.lookups.isEmpty || plan.work.count > plan.keys.count || !plan.repeats.isEmpty else {
            // Nearly all plans.
            var failures = try await delete(plan.work, planner)
            onDeleted(plan)
            failures += try await publish(plan.work, planner)
            onServed(plan, failures)
            return failures
        }
        let start = ContinuousClock.now
        async let accepted = rewarmer.accept(plan.rewarms)
        async let direct = act(plan.work, planner)
        let found = try await lookups?.run(plan.lookups, planner: planner) ?? (plan: Plan(), failures: [])
        var failures = found.failures
        failures += try await act(found.plan.work, planner)
        failures += try await direct
        let jobs = [try await accepted, try await rewarmer.accept(found.plan.rewarms, since: start)]
        var whole = plan
        whole.merge(found.plan)
        onDeleted(whole)
        failures += try await sweep(whole.work, planner)
        for job in jobs { failures += try await job.failures() }
        // Whoever hears of it may read at once, so all has to be gone or fresh.
        failures += try await publish(whole.work, planner)
        onServed(whole, failures)
        // What can't be done once can't be done twice, as a rule.
        let known = Set(failures)
        failures += try await repeating(whole.repeats, planner).filter { !known.contains($0) }
        return failures
    }

    private func repeating(_ repeats: [Duration: Work], _ planner: Planner) async throws -> [FailedAction] {
        guard !repeats.isEmpty else { return [] }
        let start = ContinuousClock.now
        var failures: [FailedAction] = []
        for (delay, work) in repeats.sorted(by: { $0.key < $1.key }) {
            try await Task.sleep(until: start + delay)
            failures += try await act(work, planner)
            failures += try await sweep(work, planner)
            failures += try await rewarmer.accept(work.rewarms).failures()
            failures += try await publish(work, planner)
        }
        return failures
    }

    /// What is done to keys that are known by name, but for tags, which may take long.
    private func act(_ work: Work, _ planner: Planner) async throws(CancellationError) -> [FailedAction] {
        var failures = try await delete(work, planner)
        failures += try await perform(work, planner)
        return failures
    }

    /// What may take long: tags, and what is known by pattern.
    private func sweep(_ work: Work, _ planner: Planner) async throws -> [FailedAction] {
        async let swept = delete(byPatternOf: work, planner)
        async let visited = visit(work, planner)
        var failures = try await emptyTags(work.actions.filter { $0.action == .emptyTag }, planner).map(\.failed)
        failures += try await swept
        failures += try await visited
        return failures
    }

    /// Deletes the keys that are not loaded anew.
    private func delete(_ work: Work, _ planner: Planner) async throws(CancellationError) -> [FailedAction] {
        guard !work.keys.isEmpty else { return [] }
        // Before they are deleted, so that no load which began before stores anything behind that.
        if !work.disputedKeys.isEmpty { rewarmer.dispute(work.disputedKeys) }
        let rewarmed = Set(work.rewarms.map(\.key))
        let keys = rewarmed.isEmpty ? work.keys : work.keys.filter { !rewarmed.contains($0.key) }
        let failures = try await target.delete(keys.map(\.key), fenced: work.fencedKeys)
        count(keys.map(\.rule)) { $0.deleted(keys: $1) }
        guard !failures.isEmpty else { return [] }
        let rules = Dictionary(keys.map { ($0.key, $0.rule) }) { first, _ in first }
        return failures.map { failure in
            let rule = rules[failure.key].map { planner.rules[$0].name.value } ?? ""
            return FailedAction(
                rule: rule, action: .delete(key: failure.key), reason: failure.reason,
                summary: failure.summary)
        }
    }

    func count(_ rules: [Int], _ count: (RuleTally, Int) -> Void) {
        var counts = [Int](repeating: 0, count: tallies.count)
        for rule in rules { counts[rule] += 1 }
        for (tally, number) in zip(tallies, counts) where number > 0 { count(tally, number) }
    }

    private func delete(
        byPatternOf work: Work, _ planner: Planner
    ) async throws(CancellationError) -> [FailedAction] {
        guard !work.patterns.isEmpty else { return [] }
        let failures = try await sweeper.sweep(work.patterns.map(\.pattern), fenced: work.fencedPatterns)
        count(work.patterns.map(\.rule)) { $0.swept(patterns: $1) }
        guard !failures.isEmpty else { return [] }
        let set = PatternSet(work.patterns.map(\.pattern))
        return failures.map { failure in
            let matched = set.firstMatch(failure.key.bytes.span).map { set.patterns[$0] }
            let rule = work.patterns.first { $0.pattern == matched }.map { planner.rules[$0.rule].name.value }
            return FailedAction(
                rule: rule ?? "", action: .delete(key: failure.key), reason: failure.reason,
                summary: failure.summary)
        }
    }
}
