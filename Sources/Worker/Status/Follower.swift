import DequeModule
import Synchronization

/// Somebody who looks on, and what is yet to be shown.
final class Follower: Sendable {
    private struct State {
        var waiting: Deque<Trace> = []
        var skipped = 0
        var hasEnded = false
        var sleeper: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Some of the changes of a batch that had so many.
    func offer(_ traces: [Trace], of count: Int) {
        let sleeper = state.withLock { state in
            let room = max(0, limit - state.waiting.count)
            state.waiting.append(contentsOf: traces.prefix(room))
            state.skipped += count - min(room, traces.count)
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    func end() {
        let sleeper = state.withLock { state in
            state.hasEnded = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// The next; nil after the end.
    func next() async -> RecentChanges.News? {
        while true {
            let (trace, skipped, hasEnded) = state.withLock { state in
                let trace = state.waiting.popFirst()
                let skipped = trace == nil ? state.skipped : 0
                if trace == nil { state.skipped = 0 }
                return (trace, skipped, state.hasEnded)
            }
            if hasEnded { return nil }
            if let trace { return .change(trace.event) }
            if skipped > 0 { return .skipped(skipped) }
            await withCheckedContinuation { continuation in
                let isEarly = state.withLock { state in
                    guard state.waiting.isEmpty, state.skipped == 0, !state.hasEnded else { return true }
                    state.sleeper = continuation
                    return false
                }
                if isEarly { continuation.resume() }
            }
        }
    }
}
