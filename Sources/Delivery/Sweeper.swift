import Logging
import Metrics
import Redis
import Rules
import Synchronization

/// Deletes keys by pattern: one SCAN of the whole target, at a pace that leaves it most of its time, serves all
/// patterns that are waiting. It has a connection of its own, so deletes by key go on meanwhile.
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
    private let link: Link
    let options: SweepOptions
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
        logger[metadataKey: "redis"] = "\(target.url)"
        logger[metadataKey: "connection"] = "sweep"
        // A SCAN names no key that could be to blame, so each of its errors is the target's trouble.
        link = Link(
            to: target.url, target: target.name, options: target.options, logger: logger, isTrouble: { _ in true })
        let dimensions = [("target", target.name)]
        passes = Counter(label: "unstale_sweep_passes_total", dimensions: dimensions)
        keysScanned = Counter(label: "unstale_sweep_keys_scanned_total", dimensions: dimensions)
        keysSwept = Counter(label: "unstale_keys_swept_total", dimensions: dimensions)
        passTime = Metrics.Timer(label: "unstale_sweep_seconds", dimensions: dimensions)
        state = Mutex(State(queue: SweepQueue(patternsPerPass: options.patternsPerPass)))
    }

    /// Where its own connection stands.
    public var connectionState: TargetState { link.state }

    /// What it has done.
    public var statistics: SweepStatistics { state.withLock { $0.statistics } }

    /// Serves patterns until the task is cancelled or the target's `run()` has ended; then all who wait get a
    /// `CancellationError`. Called once.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await self.link.run() }
            group.addTask { try? await self.servePatterns() }
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
        guard !patterns.isEmpty else { return [] }
        let fenced = target.options.fencesAll ? Set(patterns) : fenced
        return try await wait(for: patterns, fenced: fenced, visit: nil)
    }

    /// Shows every key that one of the patterns matches and that is there from now on until this returns to `visit`, one
    /// page after the other, some perhaps more than once. Keys of our own are shown for patterns that begin with
    /// `unstale:` alone.
    ///
    /// Throws when the task is cancelled or ``run()`` has ended.
    func visit(_ patterns: [Pattern], _ visit: @escaping SweepVisit) async throws(CancellationError) {
        _ = try await wait(for: patterns, fenced: [], visit: visit)
    }

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
        for await _ in bell.stream {
            while state.withLock({ !$0.queue.isEmpty }) {
                let connection = try await link.connection()
                let filter = state.withLock {
                    SweepFilter($0.queue.begin(), fenced: $0.queue.fenced, visits: $0.queue.visits)
                }
                let start = ContinuousClock.now
                let failures = try await pass(filter, on: connection)
                finish(with: failures, after: .now - start)
            }
        }
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

    /// One pass, from the first cursor to the last on one connection: another may lead to a server to which the
    /// cursor means nothing, and that has other tokens. Gives the failures; nil when it was broken off.
    private func pass(
        _ filter: SweepFilter, on connection: RedisConnection
    ) async throws(CancellationError) -> [Failure]? {
        guard let latency = try await latency(of: connection) else { return nil }
        var pace = SweepPace(share: options.share, callLimit: options.callLimit, latency: latency)
        var renewed: [Failure]? = []
        if let fences = filter.fencePattern {
            renewed = try await scan(
                fences, fencing: .all, counting: \.fencesMatched, pace: &pace, on: connection,
                hits: filter.keysOfFences)
        }
        guard let renewed,
            let deleted = try await scan(
                filter.keyPattern, fencing: .none, counting: \.keysMatched, pace: &pace, on: connection,
                hits: filter.keys, visit: filter.visit)
        else { return nil }
        return Array(Dictionary((renewed + deleted).map { ($0.key, $0) }) { first, _ in first }.values)
    }

    /// One SCAN of everything that deletes the hits. Gives the failures; nil when it was broken off.
    private func scan(
        _ pattern: Pattern, fencing: Fencing, counting count: WritableKeyPath<SweepStatistics, Int>,
        pace: inout SweepPace, on connection: RedisConnection, hits: (ScanPage) -> [Key],
        visit: (ScanPage) async throws(CancellationError) -> Void = { _ in }
    ) async throws(CancellationError) -> [Failure]? {
        var cursor = ScanPage.edge
        var failures: [Failure] = []
        repeat {
            try await target.waitWhileHeld()
            let start = ContinuousClock.now
            guard let page = try await page(from: cursor, matching: pattern, count: pace.count, on: connection)
            else { return nil }
            var idleSince = ContinuousClock.now
            var rest = pace.scanned(in: idleSince - start)
            let hits = hits(page)
            state.withLock { state in
                state.statistics.keysScanned += page.keys.count
                state.statistics[keyPath: count] += hits.count
            }
            keysScanned.increment(by: page.keys.count)
            if count == \.keysMatched { keysSwept.increment(by: hits.count) }
            if !hits.isEmpty {
                failures += try await target.delete(hits, fencing: fencing)
                rest += pace.deleted(in: .now - idleSince)
                idleSince = .now
            }
            try await visit(page)
            let visited = ContinuousClock.now
            rest += pace.deleted(in: visited - idleSince)
            idleSince = visited
            do { try await Task.sleep(until: idleSince + rest) } catch { throw CancellationError() }
            cursor = page.cursor
        } while cursor != ScanPage.edge
        return failures
    }

    private func page(
        from cursor: [UInt8], matching pattern: Pattern, count: Int, on connection: RedisConnection
    ) async throws(CancellationError) -> ScanPage? {
        let scan = RedisCommand(
            "SCAN", [cursor, Array("MATCH".utf8), pattern.bytes, Array("COUNT".utf8), Array("\(count)".utf8)])
        guard let reply = try await link.attempt([scan], on: connection)?.first else { return nil }
        guard let page = ScanPage(reply) else {
            await link.pause("SCAN was answered with no page of keys", of: connection, probe: scan)
            return nil
        }
        return page
    }

    /// What a round trip takes at best; nil when the connection failed.
    private func latency(of connection: RedisConnection) async throws(CancellationError) -> Duration? {
        var best = Duration.seconds(1)
        for _ in 0..<3 {
            let start = ContinuousClock.now
            guard try await link.attempt([RedisCommand("PING")], on: connection) != nil else { return nil }
            best = min(best, .now - start)
        }
        return best
    }
}
