import Capture
import Postgres

/// How a reader learns that there is something to read.
enum Bell: Sendable {
    /// It is the only one and minds the doorbell itself, so that nothing is between the ring and the read.
    case doorbell(Doorbell)
    /// A ``Watch`` minds the doorbell for several, and passes on what it hears.
    case chime(Chime)

    /// Takes note of what a read brought.
    func didRead(_ batch: Batch) async throws {
        if case .doorbell(let doorbell) = self { try await doorbell.didRead(batch) }
    }

    /// The reader can't read for a while.
    func standDown() async throws {
        if case .doorbell(let doorbell) = self { try await doorbell.standDown() }
    }

    /// Waits until it is time to read again.
    func wait() async throws {
        switch self {
        case .doorbell(let doorbell): try await doorbell.wait()
        case .chime(let chime): try await chime.wait()
        }
    }

    /// Ends a `wait` that is going on.
    func endWait() {
        switch self {
        case .doorbell(let doorbell): doorbell.endWait()
        case .chime(let chime): chime.strike()
        }
    }
}
