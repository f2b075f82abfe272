import Delivery
import FoundationEssentials
import Redis
import Rules
import Synchronization

/// The rules that are served, as they were read last.
final class RulesInUse: Sendable {
    /// Rules, and the loads that they ask for.
    struct Generation: Sendable {
        let number: Int
        let rules: [Rule]
        let rewarmer: Rewarmer
        let loadedAt: Date
        /// By the rules' numbers.
        var tallies: [RuleTally] { rewarmer.tallies }
        fileprivate let replaced = OneShot<Void, CancellationError>(cancellation: CancellationError())
    }

    private struct State {
        var current: Generation
        var waiters: [OneShot<Void, CancellationError>] = []
    }

    private let state: Mutex<State>
    private let makeRewarmer: @Sendable ([Rule], RewarmStatistics) -> Rewarmer
    private let generations = AsyncStream.makeStream(of: Generation.self)

    init(_ rules: [Rule], makeRewarmer: @escaping @Sendable ([Rule], RewarmStatistics) -> Rewarmer) {
        self.makeRewarmer = makeRewarmer
        let first = Generation(
            number: 1, rules: rules, rewarmer: makeRewarmer(rules, RewarmStatistics()), loadedAt: .now)
        state = Mutex(State(current: first))
        generations.continuation.yield(first)
    }

    var current: Generation { state.withLock { $0.current } }

    /// From now on these are the rules. A session that serves others ends.
    func replace(with rules: [Rule]) {
        let (old, waiters) = state.withLock { state in
            let old = state.current
            state.current = Generation(
                number: old.number + 1, rules: rules,
                rewarmer: makeRewarmer(rules, old.rewarmer.statistics), loadedAt: .now)
            generations.continuation.yield(state.current)
            defer { state.waiters = [] }
            return (old, state.waiters)
        }
        old.replaced.resolve(.success(()))
        for waiter in waiters { waiter.resolve(.success(())) }
    }

    /// Returns when there are newer rules than these.
    func waitForNewer(than generation: Generation) async throws(CancellationError) {
        let waiter: OneShot<Void, CancellationError>? = state.withLock { state in
            guard state.current.number == generation.number else { return nil }
            let waiter = OneShot<Void, CancellationError>(cancellation: CancellationError())
            state.waiters.append(waiter)
            return waiter
        }
        guard let waiter else { return }
        do {
            try await waiter.value()
        } catch {
            state.withLock { $0.waiters.removeAll { $0 === waiter } }
            throw error
        }
    }

    /// Carries out the loads of each generation until the task is cancelled.
    func runRewarmers() async {
        await withDiscardingTaskGroup { group in
            for await generation in generations.stream {
                group.addTask { await Self.run(generation) }
            }
        }
    }

    /// What is under way when newer rules come has a moment to end, and the rest is deleted.
    private static func run(_ generation: Generation) async {
        await withTaskGroup { group in
            group.addTask { await generation.rewarmer.run() }
            group.addTask {
                do {
                    try await generation.replaced.value()
                    generation.rewarmer.stop(within: .seconds(1))
                    try await Task.sleep(for: .seconds(3))
                } catch {}
            }
            await group.next()
            group.cancelAll()
        }
    }
}
