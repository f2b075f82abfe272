import FoundationEssentials
import Synchronization

/// What a worker knows of itself, for whoever asks; it outlives its sessions.
final class Board: Sendable {
    private struct State {
        var state = WorkerStatus.State.starting
        var reason: String?
        var rules: WorkerStatus.Rules
        /// Targets that are served in this session.
        var served: Set<String> = []
    }

    let startedAt = Date.now
    private let state: Mutex<State>

    init(rules count: Int) {
        state = Mutex(State(rules: WorkerStatus.Rules(count: count, loadedAt: .now, refused: [])))
    }

    // MARK: What happens

    func set(_ new: WorkerStatus.State, reason: String? = nil) {
        state.withLock { state in
            state.state = new
            state.reason = reason
            state.served = []
        }
    }

    /// A target is served; once that holds for all of them, the worker leads.
    func serves(_ target: String, of all: Int) {
        state.withLock { state in
            state.served.insert(target)
            if state.served.count == all { (state.state, state.reason) = (.leading, nil) }
        }
    }

    /// So many rules are served now.
    func set(rules count: Int) {
        state.withLock { $0.rules = WorkerStatus.Rules(count: count, loadedAt: .now, refused: []) }
    }

    /// Newer ones are refused, for these reasons.
    func set(refused lines: [String]) { state.withLock { $0.rules.refused = lines } }

    // MARK: What is known

    var current: (state: WorkerStatus.State, reason: String?) { state.withLock { ($0.state, $0.reason) } }

    var rules: WorkerStatus.Rules { state.withLock { $0.rules } }
}
