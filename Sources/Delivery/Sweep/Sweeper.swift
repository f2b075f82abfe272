import Logging
import Metrics
import Redis
import Rules
import Synchronization

/// Deletes keys by pattern: one SCAN of the whole target, of all its servers at the same time and at a pace that leaves
/// them most of theirs, serves all patterns that are waiting. It has connections of its own, so deletes by key go on
/// meanwhile.
///
/// That nothing is missed rests on SCAN's guarantee: "A full iteration always retrieves all the elements that
/// were present in the collection from the start to the end of a full iteration" (redis.io, SCAN). A key that is
/// written after the beginning of the pass may stay; it is newer than the change that asked for the sweep.
///
/// A reader makes the last untrue: it may write what it read before the change. A fenced pattern keeps it from that.
/// The pass begins with a SCAN of the fences, and renews those whose keys such a pattern matches; another SCAN then
/// deletes the keys. A reader that loaded before the change has its token from before the pass. Either the token
/// stayed where it was until it was met and replaced, or it went away in the meantime (expired, evicted, replaced
/// by others) and can't come back. So, when the second SCAN begins, that reader has stored, and the SCAN deletes
/// what it stored, or it never will. A token that was made later belongs to a load that saw the change.
///
/// Patterns about keys that the target's index has are served at once, as long as nothing is in doubt there; see
/// ``KeyIndex``.
///
/// One SCAN for both would not do: a reader may store a key that the cursor has passed already, and its token may
/// expire before the cursor comes to it. Nobody would ever hear of that key.
public final class Sweeper: Sendable {
    private typealias Outcome = OneShot<[Failure], CancellationError>

    private struct State {
        var queue: SweepQueue<Outcome>
        var statistics = SweepStatistics()
        var hasEnded = false
    }

    private let target: Target
    private let servers: Servers
    /// Nil: there is none.
    private let indexes: KeyIndexes?
    let options: SweepOptions
    /// Another than the target's: deletes by key go on meanwhile.
    private let executor = EventLoopExecutor()
    private let passes, keysScanned, keysSwept: Counter
    private let passTime: Metrics.Timer
    private let state: Mutex<State>
    /// Rings when somebody begins to wait. One ring is as good as many.
    private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// The sweeper of a target; ``run()`` serves the patterns.
    public init(_ target: Target, options: SweepOptions = .init(), logger: Logger) {
        self.target = target
        self.options = options
        var logger = logger
        logger[metadataKey: "connection"] = "sweep"
        // A SCAN names no key that could be to blame, so each of its errors is the target's trouble.
        var targetOptions = target.options
        targetOptions.connection.packsStrings = true
        targetOptions.connection.executor = executor
        let servers = Servers(
            of: target.topology, target: target.name, options: targetOptions, logger: logger, isTrouble: { _ in true })
        self.servers = servers
        indexes = target.options.index.map { index in
            KeyIndexes(index, of: target, servers: servers, sweepOptions: options, logger: logger)
        }
        let dimensions = [("target", target.name)]
        passes = Counter(label: "unstale_sweep_passes_total", dimensions: dimensions)
        keysScanned = Counter(label: "unstale_sweep_keys_scanned_total", dimensions: dimensions)
        keysSwept = Counter(label: "unstale_keys_swept_total", dimensions: dimensions)
        passTime = Metrics.Timer(label: "unstale_sweep_seconds", dimensions: dimensions)
        state = Mutex(State(queue: SweepQueue(patternsPerPass: options.patternsPerPass)))
    }

    /// Where its own connections stand.
    public var connectionState: TargetState { servers.currentState }

    /// How the target's index stands; nil: there is none.
    public var indexStatus: KeyIndexStatus? { indexes?.status }

    /// What it has done.
    public var statistics: SweepStatistics { state.withLock { $0.statistics } }

    /// Serves patterns until the task is cancelled or the target's `run()` has ended; then all who wait get a
    /// `CancellationError`. Called once.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await self.servers.run() }
            group.addTask(executorPreference: self.executor) { try? await self.servePatterns() }
            if let indexes = self.indexes {
                group.addTask { await indexes.run() }
            }
            await group.next()
            group.cancelAll()
        }
        let waiting = state.withLock { state in
            state.hasEnded = true
            return state.queue.drain()
        }
        for request in waiting { request.waiter.resolve(.failure(CancellationError())) }
    }

    /// Deletes every key that one of the patterns matches and that is there from now on until this returns.
    /// Returns the keys among them that can't be deleted by their own fault. However long the target is in
    /// trouble, this waits for it.
    ///
    /// A reader that keeps to the protocol of ``Fence`` and that loaded a key of one of the `fenced` patterns before
    /// the call doesn't store it after the return. Fences themselves are deleted by no pattern but those that
    /// begin with `unstale:`.
    ///
    /// Throws when the task is cancelled or ``run()`` has ended; any of the keys may have been deleted.
    public func sweep(
        _ patterns: [Pattern], fenced: Set<Pattern> = []
    ) async throws(CancellationError) -> [Failure] {
        let fenced = target.options.fencesAll ? Set(patterns) : fenced
        var (patterns, failures) = (patterns, [Failure]())
        if let indexes {
            let covered = patterns.filter(indexes.covers)
            if !covered.isEmpty, let result = try await indexes.sweep(covered, fenced: fenced) {
                count(.matched, result.keysMatched)
                failures = result.failures
                patterns.removeAll(where: indexes.covers)
            }
        }
        guard !patterns.isEmpty else { return failures }
        return try await failures + wait(for: patterns, fenced: fenced, visit: nil)
    }

    /// Shows every key that one of the patterns matches and that is there from now on until this returns to `visit`, one
    /// page after the other, some perhaps more than once. Keys of our own are shown for patterns that begin with
    /// `unstale:` alone.
    ///
    /// Throws when the task is cancelled or ``run()`` has ended.
    func visit(_ patterns: [Pattern], _ visit: @escaping SweepVisit) async throws(CancellationError) {
        _ = try await wait(for: patterns, fenced: [], visit: visit)
    }

    /// Waits for a pass.
    private func wait(
        for patterns: [Pattern], fenced: Set<Pattern>, visit: SweepVisit?
    ) async throws(CancellationError) -> [Failure] {
        let outcome = Outcome(cancellation: CancellationError())
        let id = state.withLock { state in
            state.hasEnded ? nil : state.queue.add(patterns, fenced: fenced, visit: visit, waiter: outcome)
        }
        guard let id else { throw CancellationError() }
        bell.continuation.yield()
        do {
            return try await outcome.value()
        } catch {
            state.withLock { $0.queue.remove(id) }
            throw error
        }
    }

    private func servePatterns() async throws(CancellationError) {
        var retries = Retries(of: servers)
        for await _ in bell.stream {
            while state.withLock({ !$0.queue.isEmpty }) {
                let members = try await servers.members()
                guard try await leadToTarget(members) else { continue }
                let filter = state.withLock {
                    SweepFilter(
                        $0.queue.begin(), fenced: $0.queue.fenced, visits: $0.queue.visits,
                        companions: target.companions)
                }
                let start = ContinuousClock.now
                let pass = SweepPass(
                    target: target, servers: servers, members: members, filter: filter, options: options,
                    count: { self.count($0, $1) })
                let failures = try await pass.run()
                finish(with: failures, after: .now - start)
                if failures == nil {
                    try await retries.failed("no pass comes to its end: slots move all the time, or some are nobody's")
                } else {
                    retries.succeeded()
                }
            }
        }
    }

    /// Whether the keys that a pass would find are those that would be deleted. After a failover one connection may
    /// still lead to the old server when the other one leads to the new: it is made anew then. When that happens
    /// during a pass, the target tells of another identity, and what asked for the pass is asked again. In a Cluster
    /// each key is deleted where it is.
    private func leadToTarget(_ members: [Servers.Member]) async throws(CancellationError) -> Bool {
        guard !target.topology.isCluster, let member = members.first else { return true }
        try await target.waitUntilUsable()
        guard let server = await target.server, let own = await member.link.server else { return false }
        if server == own { return true }
        await member.link.pause(
            "it leads to another server than the one that keys are deleted from", of: member.connection)
        return false
    }

    /// Ends a pass: nil failures mean that it was broken off.
    private func finish(with failures: [Failure]?, after duration: Duration) {
        let served = state.withLock { state in
            guard failures != nil else {
                state.statistics.brokenPasses += 1
                state.queue.abandon()
                return [SweepQueue<Outcome>.Request]()
            }
            state.statistics.passes += 1
            return state.queue.finish()
        }
        if failures != nil {
            passes.increment()
            passTime.record(duration: duration)
        }
        for request in served {
            let patterns = PatternSet(request.patterns)
            request.waiter.resolve(.success((failures ?? []).filter { patterns.matches($0.key) }))
        }
    }

    private func count(_ what: SweepPass.Count, _ number: Int) {
        switch what {
        case .scanned: keysScanned.increment(by: number)
        case .matched: keysSwept.increment(by: number)
        case .fences: break
        }
        state.withLock { $0.statistics[keyPath: what.statistic] += number }
    }
}

extension SweepPass.Count {
    fileprivate var statistic: WritableKeyPath<SweepStatistics, Int> {
        switch self {
        case .scanned: \.keysScanned
        case .matched: \.keysMatched
        case .fences: \.fencesMatched
        }
    }
}
