import Redis
import Synchronization

/// An operator's order to leave a target alone for a while.
final class Hold: Sendable {
    private typealias Waiter = OneShot<Void, CancellationError>

    private struct State {
        var isHeld = false
        var waiters: [Waiter] = []
    }

    private let state = Mutex(State())

    var isHeld: Bool { state.withLock { $0.isHeld } }

    func set(_ isHeld: Bool) {
        let released = state.withLock { state in
            state.isHeld = isHeld
            guard !isHeld else { return [Waiter]() }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in released { waiter.resolve(.success(())) }
    }

    /// Returns when nobody holds the target.
    func wait() async throws(CancellationError) {
        let waiter: Waiter? = state.withLock { state in
            guard state.isHeld else { return nil }
            let waiter = Waiter(cancellation: CancellationError())
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
}
