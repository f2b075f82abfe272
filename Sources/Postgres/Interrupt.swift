internal import CPostgres
import Glibc
import Synchronization

/// Wakes the thread that waits for a connection's socket when the task behind it is cancelled: a Linux eventfd,
/// owned until deinit.
///
/// A cancellation is for one call. One that comes when its call has already ended must not stop the next, so
/// each call has a ticket, and only the running call's ticket wakes the thread.
final class Interrupt: Sendable {
    private struct State {
        var lastTicket = 0
        var running: Int?
    }

    let descriptor: Int32
    private let state = Mutex(State())

    init() { descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }

    deinit { close(descriptor) }

    /// A ticket for one call.
    func ticket() -> Int {
        state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
    }

    /// The call with this ticket has the connection now.
    func begin(_ ticket: Int) { state.withLock { $0.running = ticket } }

    /// The running call has ended, or has heard of its cancellation.
    func end() {
        state.withLock { $0.running = nil }
        drain()
    }

    /// The running call has woken up.
    func drain() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout.size(ofValue: count))
    }

    /// Wakes the call with this ticket, if it is running; without a ticket, whichever is.
    func raise(_ ticket: Int? = nil) {
        state.withLock { state in
            guard let running = state.running, ticket ?? running == running else { return }
            var one: UInt64 = 1
            _ = write(descriptor, &one, MemoryLayout.size(ofValue: one))
        }
    }
}
