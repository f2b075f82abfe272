import Capture
import Delivery
import DequeModule
import FoundationEssentials
import Rules
import Synchronization

/// The last changes and what came of them, for people who look on. What a change asks for is worked out once more
/// when somebody looks, so that nearly nothing is to be done while nobody does.
public final class RecentChanges: Sendable {
    /// What a follower gets.
    public enum News: Sendable {
        /// A change of which is known what came of it.
        case change(ChangeEvent)
        /// So many came faster than they could be shown.
        case skipped(Int)
    }

    private struct State {
        var changes: Deque<Trace> = []
        var lastID = 0
        var followers: [Int: Follower] = [:]
        var lastFollower = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// The last changes, at most so many; 0: none are kept.
    init(limit: Int) { self.limit = limit }

    /// The last changes, oldest first.
    public var all: [ChangeEvent] { state.withLock { Array($0.changes) }.map(\.event) }

    /// The changes from now on, until the task ends. Whoever is too slow is told how many were left out.
    public func follow() -> AsyncStream<News> {
        let follower = Follower(limit: limit)
        let id = state.withLock { state in
            state.lastFollower += 1
            state.followers[state.lastFollower] = follower
            return state.lastFollower
        }
        return AsyncStream {
            await follower.next()
        } onCancel: { [weak self] in
            follower.end()
            self?.state.withLock { $0.followers[id] = nil }
        }
    }

    /// A batch begins to be delivered to a target. Gives what is to be told when that is done.
    ///
    /// - Parameter table: What people call the table of a capture; nil: the target has no rule about it.
    func begin(_ batch: Batch, _ planner: Planner, target: String, table: (Int32) -> String?) -> BatchOutcome? {
        guard limit > 0 else { return nil }
        let replayed = batch.replayed.filter { $0.key.target ?? target == target }.values
        let lists = [batch.changes] + replayed
        var tables: [Int32: String?] = [:]
        func name(of capture: Int32) -> String? {
            if let known = tables[capture] { return known }
            let table = table(capture)
            tables[capture] = .some(table)
            return table
        }
        let count = lists.reduce(0) { $0 + $1.count { name(of: $0.capture) != nil } }
        var shown: [(change: Change, table: String)] = []
        for change in lists.reversed().lazy.flatMap({ $0.reversed() }) {
            guard shown.count < limit else { break }
            if let table = name(of: change.capture) { shown.append((change, table)) }
        }
        let outcome = BatchOutcome(count: count)
        let at = batch.writtenAt.last
        state.withLock { state in
            for (change, table) in shown.reversed() {
                state.lastID += 1
                state.changes.append(
                    Trace(
                        id: state.lastID, at: at, target: target, table: table, change: change, planner: planner,
                        outcome: outcome))
            }
            state.changes.removeFirst(max(0, state.changes.count - limit))
        }
        return outcome
    }

    /// All that a batch asks for has been done once.
    func served(_ outcome: BatchOutcome?, _ failures: [FailedAction], lag: Duration?) {
        guard let outcome else { return }
        outcome.set(failures.map(\.reason), lag: lag)
        let (followers, traces) = state.withLock { state in
            (
                Array(state.followers.values),
                state.followers.isEmpty ? [] : state.changes.filter { $0.outcome === outcome }
            )
        }
        for follower in followers { follower.offer(traces, of: outcome.count) }
    }
}
