import Logging
import Redis
import Rules

/// One load, from the lock to the stored value.
extension Rewarmer {
    /// What became of an entry.
    fileprivate enum Outcome {
        case stored, absent, tooLarge, superseded, noRoom
        case failed(String, summary: String)

        /// The metric's word for it.
        var word: String {
            switch self {
            case .stored: "stored"
            case .absent: "absent"
            case .tooLarge: "too_large"
            case .superseded: "superseded"
            case .noRoom: "no_room"
            case .failed: "failed"
            }
        }
    }

    func carryOut(_ load: LoadQueue<RewarmJob>.Load) async {
        do throws(CancellationError) {
            try await attempt(load)
        } catch {
            // Who still waits is told when everything ends.
        }
    }

    private func attempt(_ load: LoadQueue<RewarmJob>.Load) async throws(CancellationError) {
        var random = SystemRandomNumberGenerator()
        let token = Fence.token(using: &random)
        let rewarm = rules[load.lane.rule].rewarm[load.lane.entry]
        let calls = try await begin(load.calls, token, deadline: rewarm.deadline)
        if rewarm.touch { try await delete(calls) }
        let start = ContinuousClock.now
        let loaded = calls.isEmpty ? [] : await fetch(calls, rewarm)
        tallies[load.lane.rule].loaded(calls.count, in: .now - start)
        let outcomes = try await settle(calls, loaded, token, rewarm)
        end(load, calls, outcomes, batchSize: rewarm.sql == nil ? nil : Self.batchSize(after: loaded))
    }

    /// Locks and fences the entries. Those whose lock somebody else has are left out, and wait a little.
    private func begin(
        _ calls: [RewarmCall], _ token: [UInt8], deadline: Duration
    ) async throws(CancellationError) -> [RewarmCall] {
        // A lock that outlives its process must not outlive the patience of the next by much.
        let arguments = [
            token, Fence.lifetime.redisMilliseconds, (deadline + .seconds(1)).redisMilliseconds,
        ]
        let runs = calls.map { (keys: companions(of: $0), arguments: arguments) }
        let replies = try await LoadScript.begin.run(runs, on: target)
        let isLocked = replies.map { $0 != .integer(0) }
        state.withLock { state in
            state.statistics.loads += isLocked.count { $0 }
            for (call, isLocked) in zip(calls, isLocked) where !isLocked {
                state.queue.postpone(call.key, until: .now + .milliseconds(50))
            }
        }
        return zip(calls, isLocked).filter(\.1).map(\.0)
    }

    /// The lock and the fence of an entry: it has both, or it would not have been queued.
    private func companions(of call: RewarmCall) -> [Key] {
        [target.companions.lock(of: call.key), target.companions.fence(of: call.key)].compactMap(\.self)
    }

    private func fetch(_ calls: [RewarmCall], _ rewarm: Rewarm) async -> [Loaded] {
        let rule = rules[calls[0].rule].name.value
        switch rewarm.loader {
        case .sql:
            let entry = calls[0].entry
            let (found, prepares) = state.withLock { ($0.statements[rule]?[entry], $0.prepares) }
            guard let statement = found else {
                return calls.map { _ in .failed("the loader of the rule '\(rule)' does not fit the database") }
            }
            return await SQLLoader(connections: connections, rule: rule, prepares: prepares)
                .load(calls, statement, within: rewarm.deadline)
        case .http(let template):
            guard case .http(let call) = calls[0].input else { return [.failed("no request")] }
            let timeout = min(template.timeout ?? rewarm.deadline, rewarm.deadline)
            return [
                rewarm.touch
                    ? await http.touch(call, timeout: timeout, allowing: template.addresses)
                    : await http.load(
                        call, maxBytes: rewarm.maxBytes, timeout: timeout, allowing: template.addresses)
            ]
        }
    }

    /// Stores what was loaded, deletes what can't be stored, and lets the locks go.
    private func settle(
        _ calls: [RewarmCall], _ loaded: [Loaded], _ token: [UInt8], _ rewarm: Rewarm
    ) async throws(CancellationError) -> [Outcome] {
        let disputed = calls.map(isDisputed)
        var outcomes: [Outcome] = zip(loaded, disputed).map { loaded, isDisputed in
            switch loaded {
            case .value: isDisputed ? .superseded : .stored
            case .absent: .absent
            case .tooLarge: .tooLarge
            case .failed(let reason): .failed(reason, summary: reason)
            case .refused(let reason, let summary): .failed(reason, summary: summary)
            }
        }
        var stored: [Int] = []
        var runs: [LoadScript.Run] = []
        for (index, call) in calls.enumerated() {
            guard case .value(let bytes) = loaded[index], !disputed[index] else { continue }
            runs.append((companions(of: call) + [call.key], [token, bytes, lifetime(rewarm).redisMilliseconds]))
            stored.append(index)
        }
        let replies = try await LoadScript.store.run(runs, on: target)
        for (index, reply) in zip(stored, replies) {
            switch reply {
            case .integer(1): break
            case _ where reply.tellsOfFullMemory: outcomes[index] = .noRoom
            case .error(let error): outcomes[index] = .failed(error.text, summary: error.kind)
            default: outcomes[index] = .superseded
            }
        }
        let unstored = zip(calls, outcomes).filter { if case .stored = $0.1 { false } else { true } }.map(\.0)
        // What was touched was deleted before, and is perhaps filled by now: by what changes may disagree on.
        try await delete(rewarm.touch ? calls.filter(isDisputed) : unstored)
        let locks = unstored.map { (keys: Array(companions(of: $0).prefix(1)), arguments: [token]) }
        _ = try await LoadScript.release.run(locks, on: target)
        return outcomes
    }

    /// Whether changes disagree by now on what was loaded.
    private func isDisputed(_ call: RewarmCall) -> Bool {
        !call.isKeyed && state.withLock { $0.queue.isDisputed(call.key) }
    }

    private func end(
        _ load: LoadQueue<RewarmJob>.Load, _ calls: [RewarmCall], _ outcomes: [Outcome], batchSize: Int?
    ) {
        let now = ContinuousClock.now
        let isNews = outcomes.contains { if case .tooLarge = $0 { true } else { false } }
        let (ended, isFirst) = state.withLock { state in
            for outcome in outcomes { state.statistics.count(outcome) }
            state.queue.freed(load.lane, batchSize: batchSize)
            return (
                calls.map { state.queue.end($0.key, at: now) },
                isNews && state.reported.insert(load.lane).inserted
            )
        }
        for ((call, outcome), waiters) in zip(zip(calls, outcomes), ended) {
            tallies[call.rule].rewarm(outcome.word)
            var failed: FailedAction?
            if case .failed(let reason, let summary) = outcome { failed = failure(of: call, reason, summary: summary) }
            for waiter in waiters { waiter.settle(failed) }
        }
        guard isFirst else { return }
        let rule = rules[load.lane.rule]
        logger.warning(
            "A re-warmed value is larger than max_bytes, so its entry is deleted",
            metadata: [
                "rule": "\(rule.name.value)", "max_bytes": "\(rule.rewarm[load.lane.entry].maxBytes)",
            ])
    }

    /// The time to live, varied.
    private func lifetime(_ rewarm: Rewarm) -> Duration {
        let jitter = Double(rewarm.jitter) / 100
        return (rewarm.ttl ?? .seconds(1)) * (1 + Double.random(in: -jitter...jitter))
    }

    /// So many entries that the next query brings some 4 MiB.
    private static func batchSize(after loaded: [Loaded]) -> Int? {
        let sizes = loaded.compactMap { if case .value(let bytes) = $0 { bytes.count } else { nil } }
        guard !sizes.isEmpty else { return nil }
        let mean = max(1, sizes.reduce(0, +) / sizes.count)
        return min(1_000, max(1, (4 << 20) / mean))
    }
}

extension RewarmStatistics {
    fileprivate mutating func count(_ outcome: Rewarmer.Outcome) {
        switch outcome {
        case .stored: stored += 1
        case .absent: absent += 1
        case .tooLarge: tooLarge += 1
        case .superseded: superseded += 1
        case .noRoom: overBudget += 1
        case .failed: failed += 1
        }
    }
}
