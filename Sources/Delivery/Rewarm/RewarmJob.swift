import Redis
import Synchronization

/// The entries of one plan, and what became of them.
final class RewarmJob: Sendable {
    private struct State {
        var left: Int
        var failures: [FailedAction] = []
    }

    private let state: Mutex<State>
    private let outcome = OneShot<[FailedAction], CancellationError>(cancellation: CancellationError())

    /// A job of so many entries.
    init(_ count: Int) {
        state = Mutex(State(left: count))
        if count == 0 { outcome.resolve(.success([])) }
    }

    /// One of them is either fresh or gone; nil: by its own loader or by its rule, otherwise as that one failed.
    func settle(_ failure: FailedAction?) {
        let failures: [FailedAction]? = state.withLock { state in
            state.left -= 1
            if let failure { state.failures.append(failure) }
            return state.left == 0 ? state.failures : nil
        }
        if let failures { outcome.resolve(.success(failures)) }
    }

    /// Nobody sees to them any more.
    func cancel() { outcome.resolve(.failure(CancellationError())) }

    /// Those whose loaders failed, once all are either fresh or gone. Called once.
    func failures() async throws(CancellationError) -> [FailedAction] { try await outcome.value() }
}
