import Logging
public import Postgres
import Redis
public import Rules
import Synchronization

/// Loads entries anew that rules re-warm, and deletes them where that can't be done in time: whatever happens, none
/// is served stale for longer than its deadline.
///
/// A load is a fenced reader with a lock. It sets the fence before it reads, and what it has read is stored only if
/// the fence is still the same, so no value that is older than the last change is ever stored: not by a load that
/// was overtaken, nor by another process that believes itself the leader.
public final class Rewarmer: Sendable {
    struct State {
        var queue: LoadQueue<RewarmJob>
        var statements: [String: [Int: LoaderStatement]] = [:]
        var prepares = false
        var statistics = RewarmStatistics()
        /// Loaders that were reported for values that are too large.
        var reported: Set<LaneID> = []
        /// Whether the target's policy keeps frequencies and no idle times.
        var isLFU = false
        var isStopping = false
        var hasEnded = false
    }

    let target: Target
    let rules: [Rule]
    /// By the rules' numbers.
    public let tallies: [RuleTally]
    let state: Mutex<State>
    let connections: LoaderConnections
    let http: HTTPLoader
    let logger: Logger
    /// Rings when there may be something to do. One ring is as good as many.
    private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// The loads of a target; ``run()`` carries them out.
    ///
    /// - Parameters:
    ///   - sessionSettings: SQL that makes the text of values the same in every session.
    ///   - statistics: What was done before, by other rules.
    public init(
        _ target: Target, rules: [Rule], tally: DeliveryTally, postgres: PostgresSettings, sessionSettings: String,
        statistics: RewarmStatistics = .init(), logger: Logger
    ) {
        self.target = target
        self.rules = rules
        tallies = rules.map { tally.rule($0.name.value) }
        self.logger = logger
        state = Mutex(State(queue: LoadQueue(rules, at: .now), statistics: statistics))
        connections = LoaderConnections(postgres, sessionSettings: sessionSettings)
        // So many that loads never wait for one another's connections.
        let requests = rules.flatMap(\.rewarm).filter { $0.sql == nil }.map(\.budget.concurrency)
        http = HTTPLoader(connections: max(1, requests.reduce(0, +)))
    }

    /// What it has done.
    public var statistics: RewarmStatistics { state.withLock { $0.statistics } }

    /// The statements of the rules' loaders, by rule and by their number in it.
    ///
    /// - Parameter prepared: Whether sessions may keep them. Behind a pooler a session finds what another has kept
    ///   under the same name: another rule's statement.
    public func use(_ statements: [String: [Int: LoaderStatement]], prepared: Bool) {
        state.withLock { state in
            state.statements = statements
            state.prepares = prepared
        }
    }

    /// Carries out loads until the task is cancelled; then all who wait get a `CancellationError`. Called once.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.closeIdleConnections() }
            var timer: ContinuousClock.Instant?
            for await _ in bell.stream {
                let now = ContinuousClock.now
                let (due, alarm) = state.withLock { ($0.queue.advance(to: now), $0.queue.nextAlarm) }
                for load in due.loads {
                    group.addTask {
                        await self.carryOut(load)
                        self.bell.continuation.yield()
                    }
                }
                if !due.late.isEmpty { group.addTask { await self.giveUp(due.late) } }
                if timer.map({ $0 <= now }) ?? false { timer = nil }
                guard let alarm, timer.map({ alarm < $0 }) ?? true else { continue }
                timer = alarm
                group.addTask {
                    try? await Task.sleep(until: alarm)
                    self.bell.continuation.yield()
                }
            }
            group.cancelAll()
        }
        await http.shutdown()
        let left = state.withLock { state in
            state.hasEnded = true
            state.queue.hurry(until: .now, at: .now)
            return state.queue.advance(to: .now).late
        }
        for waiter in left.flatMap(\.waiters) { waiter.cancel() }
    }

    /// Sees to it that each entry is loaded anew or gone. Returns when the loads are queued, and what is not to be
    /// loaded is gone; however long the target is in trouble, this waits for it.
    ///
    /// Throws when the task is cancelled or ``run()`` has ended. What was queued until then is seen to all the same,
    /// as long as ``run()`` goes on.
    ///
    /// - Parameter since: When the change was read that made them stale, where it took time to find out which they
    ///   are; nil: now.
    func accept(
        _ calls: [RewarmCall], since: ContinuousClock.Instant? = nil
    ) async throws(CancellationError) -> RewarmJob {
        let job = RewarmJob(calls.count)
        guard !calls.isEmpty else { return job }
        // Nothing is queued behind a target that is down, for it would pile up there.
        try await target.waitUntilUsable()
        // What can have no lock in the place where it is can't be loaded either.
        let nameless = calls.filter { target.companions.lock(of: $0.key) == nil }
        try await delete(nameless)
        for _ in nameless { job.settle(nil) }
        let sorted = try await sort(
            nameless.isEmpty ? calls : calls.filter { target.companions.lock(of: $0.key) != nil })
        for _ in 0..<sorted.absent { job.settle(nil) }
        let isStopping = state.withLock { $0.isStopping }
        let refused = try enqueue(sorted.load, job, since: since)
        bell.continuation.yield()
        try await delete(sorted.cold)
        for _ in sorted.cold { job.settle(nil) }
        try await delete(refused)
        for call in refused { job.settle(isStopping ? failure(of: call, Self.stopped, summary: Self.stopped) : nil) }
        return job
    }

    /// Has nothing stored in these entries that the loads which wait or run were told to read: changes disagree on it.
    func dispute(_ keys: Set<Key>) {
        state.withLock { state in
            for key in keys { state.queue.dispute(key) }
        }
    }

    /// Has what is being loaded end within this time, and all else at once: by deleting it.
    public func stop(within grace: Duration) {
        state.withLock { state in
            state.isStopping = true
            state.queue.hurry(until: .now + grace, at: .now)
        }
        bell.continuation.yield()
    }

    static let stopped = "the worker was stopped"

    /// Those that are over budget are given back.
    private func enqueue(
        _ calls: [RewarmCall], _ job: RewarmJob, since: ContinuousClock.Instant?
    ) throws(CancellationError) -> [RewarmCall] {
        let now = ContinuousClock.now
        let refused: [RewarmCall]? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            let refused = calls.filter { state.isStopping || !state.queue.add($0, waiter: job, since: since, at: now) }
            if !state.isStopping {
                state.statistics.overBudget += refused.count
                for call in refused { tallies[call.rule].rewarm("over_budget") }
            }
            return refused
        }
        guard let refused else { throw CancellationError() }
        return refused
    }

    /// Those that were not loaded by their deadline.
    private func giveUp(_ late: [LoadQueue<RewarmJob>.Late]) async {
        // The fence makes void what a load of theirs still brings.
        guard (try? await delete(late.map(\.call))) != nil else {
            for waiter in late.flatMap(\.waiters) { waiter.cancel() }
            return
        }
        let lanes = late.map { LaneID($0.call) }
        let isStopping = state.withLock { state in
            state.statistics.late += late.count
            state.queue.deleted(lanes)
            return state.isStopping
        }
        for entry in late {
            tallies[entry.call.rule].rewarm("late")
            let deadline = rules[entry.call.rule].rewarm[entry.call.entry].deadline
            let reason = isStopping ? Self.stopped : "not loaded within \(deadline)"
            // A loader that is late has failed; where the queue was too long, deleting was all there is to do.
            let failure = entry.hasBegun || isStopping ? failure(of: entry.call, reason, summary: reason) : nil
            for waiter in entry.waiters { waiter.settle(failure) }
        }
    }

    private func closeIdleConnections() async {
        while (try? await Task.sleep(for: .seconds(10))) != nil { connections.closeIdle() }
    }

    /// Deletes entries, and makes void what anybody has read of them.
    func delete(_ calls: [RewarmCall]) async throws(CancellationError) {
        let keys = calls.map(\.key)
        guard !keys.isEmpty else { return }
        // That a key can't be deleted by its own fault is not to be: it was longer than a key can be.
        _ = try await target.delete(keys, fenced: Set(keys))
    }

    func failure(of call: RewarmCall, _ reason: String, summary: String) -> FailedAction {
        FailedAction(
            rule: rules[call.rule].name.value, action: .rewarm(call.record(rules)), reason: reason,
            summary: summary)
    }
}
