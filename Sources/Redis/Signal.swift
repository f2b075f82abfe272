import Synchronization

/// Wakes all who wait for something to change.
package final class Signal: Sendable {
    private typealias Waiter = OneShot<Void, CancellationError>

    private let waiters = Mutex<[Waiter]>([])

    /// Nobody waits yet.
    package init() {}

    /// Wakes everybody. After the change, so that whoever begins to wait in between sees it.
    package func fire() {
        let woken = waiters.withLock { waiters in
            defer { waiters = [] }
            return waiters
        }
        for waiter in woken { waiter.resolve(.success(())) }
    }

    /// Returns at the next signal, or at once where `holds` is false. Whoever waits for more than that asks again.
    package func wait(while holds: () -> Bool) async throws(CancellationError) {
        let waiter = Waiter(cancellation: CancellationError())
        let waits = waiters.withLock { waiters in
            let waits = holds()
            if waits { waiters.append(waiter) }
            return waits
        }
        guard waits else { return }
        do {
            try await waiter.value()
        } catch {
            waiters.withLock { $0.removeAll { $0 === waiter } }
            throw error
        }
    }
}
