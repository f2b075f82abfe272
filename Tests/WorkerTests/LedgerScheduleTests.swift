import Capture
import Testing

@testable import Worker

/// When a target's row is stored.
@Suite struct LedgerScheduleTests {
    private let start = ContinuousClock.now
    private let entry = Ledger.Entry(cursor: .empty, cluster: "c", server: nil, state: WorkerState())

    private func schedule(storedAt instant: ContinuousClock.Instant) -> LedgerSchedule {
        var schedule = LedgerSchedule()
        schedule.stored(entry, progress: 7, at: instant)
        return schedule
    }

    @Test func theFirstIsStored() { #expect(LedgerSchedule().isDue(entry, progress: 0, at: start)) }

    @Test func whatIsDoneIsStoredAtOnce() {
        var moved = entry
        moved.cursor = Snapshot("9:9:") ?? .empty
        let schedule = schedule(storedAt: start)
        #expect(schedule.isDue(moved, progress: 8, at: start))
        // A window that begins anew may begin where it ended.
        #expect(schedule.isDue(entry, progress: 8, at: start))
    }

    @Test func whatIsKnownBesidesIsStoredAtOnce() {
        let schedule = schedule(storedAt: start)
        var changed = (0..<3).map { _ in entry }
        changed[0].server = "another"
        changed[1].state.isHeld = true
        changed[2].cluster = "another"
        for entry in changed { #expect(schedule.isDue(entry, progress: 7, at: start)) }
    }

    /// A snapshot that others' transactions moved, or storing the last one, is no reason before the time is over.
    @Test func aSnapshotAloneWaits() {
        var schedule = schedule(storedAt: start)
        var moved = entry
        moved.cursor = Snapshot("9:9:") ?? .empty
        let rest = LedgerSchedule.rest
        #expect(!schedule.isDue(moved, progress: 7, at: start + rest - .nanoseconds(1)))
        #expect(schedule.isDue(moved, progress: 7, at: start + rest))
        // What did not move is stored again too, to tell that somebody works.
        #expect(schedule.isDue(entry, progress: 7, at: start + rest))
        schedule.stored(moved, progress: 7, at: start + rest)
        #expect(!schedule.isDue(entry, progress: 7, at: start + rest + .seconds(1)))
    }
}
