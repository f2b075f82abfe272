import Capture
import Synchronization

/// The window as the reader and the deliveries share it.
final class SharedWindow: Sendable {
    private struct State {
        var window: InFlightWindow
        var isClosed = false
    }

    private let state: Mutex<State>
    /// Yields whenever something got lighter, is done, or the window was closed.
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    init(_ window: InFlightWindow) {
        state = Mutex(State(window: window))
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The low-water mark.
    var acknowledged: ReadPosition { state.withLock { $0.window.acknowledged } }

    /// Grows with every batch that is acknowledged.
    var progress: Int { state.withLock { $0.window.progress } }

    var isFull: Bool { state.withLock { $0.window.isFull } }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func begin(_ position: ReadPosition, weight: Int) -> InFlightWindow.Ticket {
        state.withLock { $0.window.begin(position, weight: weight) }
    }

    func pass(_ position: ReadPosition) { state.withLock { $0.window.pass(position) } }

    func reset(to position: ReadPosition) { state.withLock { $0.window.reset(to: position) } }

    func weigh(_ ticket: InFlightWindow.Ticket, _ weight: Int) {
        state.withLock { $0.window.weigh(ticket, weight) }
        changed.yield()
    }

    func finish(_ ticket: InFlightWindow.Ticket) {
        state.withLock { $0.window.finish(ticket) }
        changed.yield()
    }

    /// Nobody waits for room any more: the worker stops.
    func close() {
        state.withLock { $0.isClosed = true }
        changed.yield()
    }

    /// Returns when there is room, or the window is closed, or the task is cancelled. Only the reader calls it.
    func waitForRoom() async { await wait { $0.window.isFull && !$0.isClosed } }

    /// Returns when nothing is in flight, or the task is cancelled. Only after the reader has stopped.
    func waitUntilEmpty() async { await wait { !$0.window.isEmpty } }

    private func wait(while holds: @Sendable (borrowing State) -> Bool) async {
        guard state.withLock({ holds($0) }) else { return }
        for await _ in changes where !state.withLock({ holds($0) }) { return }
    }
}
