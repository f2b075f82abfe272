import Delivery
import Redis
import Rules
import Synchronization

/// The rules that are served to a target, as they were read last.
final class RulesInUse: Sendable {
    /// Rules, and the loads that they ask for.
    struct Generation: Sendable {
        let number: Int
        let rules: [Rule]
        let rewarmer: Rewarmer
        /// By the rules' numbers.
        var tallies: [RuleTally] { rewarmer.tallies }
    }

    private let state: Mutex<Generation>
    private let replaced = Signal()
    private let makeRewarmer: @Sendable ([Rule], RewarmStatistics) -> Rewarmer
    private let generations = AsyncStream.makeStream(of: Generation.self)

    init(_ rules: [Rule], makeRewarmer: @escaping @Sendable ([Rule], RewarmStatistics) -> Rewarmer) {
        self.makeRewarmer = makeRewarmer
        let first = Generation(number: 1, rules: rules, rewarmer: makeRewarmer(rules, RewarmStatistics()))
        state = Mutex(first)
        generations.continuation.yield(first)
    }

    var current: Generation { state.withLock { $0 } }

    /// From now on these are the rules. A session that serves others ends.
    func replace(with rules: [Rule]) {
        state.withLock { current in
            current = Generation(
                number: current.number + 1, rules: rules,
                rewarmer: makeRewarmer(rules, current.rewarmer.statistics))
            generations.continuation.yield(current)
        }
        replaced.fire()
    }

    /// Returns when there are newer rules than these.
    func waitForNewer(than generation: Generation) async throws(CancellationError) {
        try await replaced.wait { current.number == generation.number }
    }

    /// Carries out the loads of each generation until the task is cancelled.
    func runRewarmers() async {
        await withDiscardingTaskGroup { group in
            for await generation in generations.stream {
                group.addTask { await self.run(generation) }
            }
        }
    }

    /// What is under way when newer rules come has a moment to end, and the rest is deleted.
    private func run(_ generation: Generation) async {
        await withTaskGroup { group in
            group.addTask { await generation.rewarmer.run() }
            group.addTask {
                do {
                    try await self.waitForNewer(than: generation)
                    generation.rewarmer.stop(within: .seconds(1))
                    // By then loads have ended by that order, and what they left is deleted. Others serve meanwhile.
                    try await Task.sleep(for: .seconds(3))
                } catch {}
            }
            await group.next()
            group.cancelAll()
        }
    }
}
