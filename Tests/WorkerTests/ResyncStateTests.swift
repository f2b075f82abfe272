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
        let pass = state.begin()
        #expect(!state.isPending && !state.isDue && state.phase != .none)
        state.delivered(pass)
        #expect(state.phase == .delivered)
        state.finish(with: nil)
        #expect(state.phase == .none)
    }

    @Test func byOrder() {
        var state = ResyncState(isAutomatic: false)
        state.declare()
        #expect(state.isPending && !state.isDue)
        state.refresh(with: "needed")
        #expect(!state.isDue)
        state.refresh(with: "ordered")
        #expect(state.isDue)
        // What is stored is read again only while it could be news.
        state.refresh(with: nil)
        #expect(state.isDue)
    }

    @Test(arguments: [nil, "needed", "ordered", "running"]) func afterACrash(stored: String?) {
        var state = ResyncState(isAutomatic: false)
        state.restore(stored)
        #expect(state.isPending == (stored != nil))
        #expect(state.isDue == (stored == "ordered" || stored == "running"))
    }

    @Test func othersHaveDoneIt() {
        var state = ResyncState(isAutomatic: false)
        state.declare()
        state.refresh(with: nil)
        #expect(state.phase == .none)
    }

    /// Whatever happens in between: only a pass that began after the last reason for one, and came to its end, counts.
    @Test(arguments: 0..<200) func onlyAWholePassCounts(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var state = ResyncState(isAutomatic: true)
        var isTrue = true  // nothing is missing
        var running: [(pass: Int, covers: Bool)] = []
        for _ in 0..<40 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                state.declare()
                isTrue = false
                running = running.map { ($0.pass, false) }
            case 1 where state.isDue: running.append((state.begin(), true))
            case 2:
                guard let index = running.indices.randomElement(using: &random) else { continue }
                let done = running.remove(at: index)
                let before = state.phase
                state.delivered(done.pass)
                // An older pass than the last says nothing.
                if state.phase != before { #expect(done.covers) }
            case 3:
                state.interrupt()
                running = running.map { ($0.pass, false) }
            case 4 where state.phase == .delivered:
                state.finish(with: nil)
                isTrue = true
            default: continue
            }
            if state.phase == .none { #expect(isTrue) }
        }
    }
}
