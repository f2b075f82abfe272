import Redis
import Synchronization

/// Tells one reader that there may be something to read. One stroke is as good as many.
final class Chime: Sendable {
    private let isStruck = Mutex(false)
    private let struck = Signal()

    func strike() {
        isStruck.withLock { $0 = true }
        struck.fire()
    }

    /// Returns at the next stroke, or at once where there was one since the last return.
    func wait() async throws(CancellationError) {
        try await struck.wait { !isStruck.withLock { $0 } }
        isStruck.withLock { $0 = false }
    }
}
