import Capture
import Logging
import Rules

/// What is done for a target that the outbox did not keep all records for.
extension Serving {
    /// Waits for something to change; returns whether all rows are to count as changed now.
    func isToResync() async throws -> Bool {
        try await served.resync.wait { !isDue && !window.isClosed }
        return isDue && !window.isClosed
    }

    private var isDue: Bool { served.resync.current.isDue && served.isUsable }

    /// Counts all rows as changed; returns the position from which records mean something again.
    func resync(_ begin: Begin) async throws -> ReadPosition {
        let here = try await parts.outbox.here()
        let position = ReadPosition(here)
        window.reset(to: position)
        served.freshness.reset()
        try await parts.ledger.beginResync(at: here)
        let pass = served.resync.update { $0.begin() }
        logger.notice("A resync begins: counting all rows as changed")
        countAll(position, begin) { self.served.resync.update { $0.delivered(pass) } }
        return position
    }

    /// What is done about it by the clock.
    func keepUpResync() async throws {
        switch served.resync.current.phase {
        case .none, .running: return
        case .needed:
            let stored = try await parts.ledger.resync()
            served.resync.update { $0.refresh(with: stored) }
        case .ordered: break
        case .delivered:
            let stored = try await parts.ledger.finishResync()
            served.resync.update { $0.finish(with: stored) }
            if stored == nil { logger.notice("The resync is done: all rows have counted as changed") }
        }
        // The target may have come back.
        served.resync.look()
    }
}
