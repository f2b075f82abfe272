import Redis
import Synchronization

/// Whether a target needs a resync, as its reader and those who look after the outbox share it.
final class Resync: Sendable {
    private let state: Mutex<ResyncState>
    private let changed = Signal()
    private let isAutomatic: Bool

    init(isAutomatic: Bool) {
        self.isAutomatic = isAutomatic
        state = Mutex(ResyncState(isAutomatic: isAutomatic))
    }

    var current: ResyncState { state.withLock { $0 } }

    /// Forgets what an earlier session knew: another worker may have led since.
    func reset() { state.withLock { $0 = ResyncState(isAutomatic: isAutomatic) } }

    /// Changes the state.
    func update<Value>(_ body: (inout ResyncState) -> Value) -> Value {
        defer { changed.fire() }
        return state.withLock { body(&$0) }
    }

    /// Has the reader look again whether the pass may begin.
    func look() { changed.fire() }

    /// Returns when something has changed, or at once where `holds` is false.
    func wait(while holds: () -> Bool) async throws(CancellationError) { try await changed.wait(while: holds) }
}
