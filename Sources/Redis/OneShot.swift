import Synchronization

/// A result that reaches its one waiter once: whichever of success, failure and cancellation comes first counts,
/// the rest is dropped.
package final class OneShot<Success: Sendable, Failure: Error>: Sendable {
    private enum State {
        case open
        case waited(CheckedContinuation<Result<Success, Failure>, Never>)
        case resolved(Result<Success, Failure>)
    }

    private let state = Mutex(State.open)
    private let cancellation: Failure

    /// A result that is still to come; its waiter gets `cancellation` when its task is cancelled first.
    package init(cancellation: Failure) { self.cancellation = cancellation }

    /// Gives the result, unless there is one already.
    package func resolve(_ result: Result<Success, Failure>) {
        let before = state.withLock { state in
            defer { if case .resolved = state {} else { state = .resolved(result) } }
            return state
        }
        if case .waited(let continuation) = before { continuation.resume(returning: result) }
    }

    /// Waits for the result. Called once.
    package func value() async throws(Failure) -> Success {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early: Result<Success, Failure>? = state.withLock { state in
                    if case .resolved(let result) = state { return result }
                    state = .waited(continuation)
                    return nil
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            resolve(.failure(cancellation))
        }
        return try result.get()
    }
}
