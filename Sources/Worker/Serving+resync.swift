import Capture
import Logging

/// What is done for a target that the outbox did not keep all records for.
extension Serving {
    /// Waits for something to change; returns whether all rows are to count as changed now.
    func isToResync() async throws -> Bool {
        try await served.resync.wait { served.resync.current.isPending && !isDue && !window.isClosed }
        return isDue && !window.isClosed
    }

    private var isDue: Bool { served.resync.current.isDue && served.isUsable }

    /// Has all rows count as changed, from the outbox, so that what Redis forgets of that is replayed too; returns the
    /// position from which records mean something again.
    func resync() async throws -> ReadPosition {
        served.resync.update { $0.begin() }
        let here = ReadPosition(try await parts.ledger.beginAnew(planning.newestCaptures(), cluster: start.cluster))
        window.reset(to: here)
        upkeep.withLock { $0.begins(at: here.snapshot) }
        served.freshness.reset()
        logger.notice("A resync begins: counting all rows as changed")
        return here
    }

    /// Learns what others have ordered.
    func keepUpResync() async throws {
        let known = served.resync.current
        if known.phase == .needed {
            let stored = try await parts.ledger.resync()
            served.resync.update { $0.refresh(with: stored, after: known.declarations) }
        }
        // The target may have come back.
        served.resync.look()
    }
}
