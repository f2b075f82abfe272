import Capture
import TestSupport
import Testing

@testable import Worker

/// Whether a target needs a resync, without servers.
@Suite struct ResyncStateTests {
    @Test func byItself() {
        var state = ResyncState(isAutomatic: true)
        #expect(!state.isPending && !state.isDue)
        state.declare()
        #expect(state.isPending && state.isDue)
        state.begin()
        #expect(!state.isPending && !state.isDue)
    }

    @Test func byOrder() {
        var state = ResyncState(isAutomatic: false)
        state.declare()
        #expect(state.isPending && !state.isDue)
        state.refresh(with: "needed", after: 1)
        #expect(!state.isDue)
        state.refresh(with: "ordered", after: 1)
        #expect(state.isDue)
        // What is stored is read again only while it could be news.
        state.refresh(with: nil, after: 1)
        #expect(state.isDue)
    }

    @Test(arguments: [nil, "needed", "ordered", "running"]) func afterACrash(stored: String?) {
        var state = ResyncState(isAutomatic: false)
        state.restore(stored)
        #expect(state.isPending == (stored != nil))
        #expect(state.isDue == (stored == "ordered" || stored == "running"))
    }

    /// What is read once more was served before, so it is not what the target needs the outbox for.
    @Test func replaying() throws {
        let (early, late, later) = (
            try #require(Snapshot("5:5:")), try #require(Snapshot("8:9:8")), try #require(Snapshot("12:12:"))
        )
        var state = ResyncState(isAutomatic: true)
        #expect(state.need(at: early) == early)
        state.replays(from: late)
        #expect(state.need(at: .empty) == late && state.need(at: early) == late)
        #expect(state.need(at: late) == late && state.need(at: later) == later)
        // Another replay begins before that one is through.
        state.replays(from: early)
        #expect(state.need(at: .empty) == late)
        state.replays(from: later)
        #expect(state.need(at: late) == later)
    }

    @Test func othersHaveDoneIt() {
        var state = ResyncState(isAutomatic: false)
        state.declare()
        state.refresh(with: nil, after: 1)
        #expect(state.phase == .none)
    }

    /// The reader, the housekeeping and who learns what is stored are tasks of their own, each with a wait between its
    /// two steps. Whatever happens in between: where it is stored that records are missing, it is known.
    @Test(arguments: 0..<500) func nothingThatIsMissingIsForgotten(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var state = ResyncState(isAutomatic: Bool.random(using: &random))
        var stored: String?
        var (begins, isDeclaring) = (false, false)
        var learned: (stored: String?, declarations: Int)?
        for _ in 0..<60 {
            switch Int.random(in: 0..<7, using: &random) {
            case 0 where !isDeclaring: (stored, isDeclaring) = ("needed", true)
            case 1 where isDeclaring:
                state.declare()
                isDeclaring = false
            case 2 where state.isDue && !begins:
                state.begin()
                begins = true
            case 3 where begins: (stored, begins) = (nil, false)
            case 4 where state.phase == .needed && learned == nil: learned = (stored, state.declarations)
            case 5:
                if let learned { state.refresh(with: learned.stored, after: learned.declarations) }
                learned = nil
            case 6 where stored == "needed": stored = "ordered"
            default: continue
            }
            if stored != nil, !begins, !isDeclaring { #expect(state.isPending, "\(stored ?? "")") }
        }
    }
}
