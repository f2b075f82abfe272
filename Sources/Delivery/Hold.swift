import Redis
import Synchronization

/// An operator's order to leave a target alone for a while.
final class Hold: Sendable {
    private let order = Atomic(false)
    private let released = Signal()

    var isHeld: Bool { order.load(ordering: .acquiring) }

    func set(_ isHeld: Bool) {
        order.store(isHeld, ordering: .releasing)
        if !isHeld { released.fire() }
    }

    /// Returns when nobody holds the target.
    func wait() async throws(CancellationError) {
        while isHeld { try await released.wait { isHeld } }
    }
}
