import Testing

@testable import Capture

/// When writers ring, and how often the worker reads: the decisions alone.
@Suite struct DoorbellStateTests {
    private let start = ContinuousClock.now

    private func state(sweep: Duration? = .seconds(1)) -> DoorbellState {
        DoorbellState(
            pace: .init(
                awake: .milliseconds(5), arming: .milliseconds(50), quiet: .milliseconds(40), sweep: sweep))
    }

    private func read(
        _ state: inout DoorbellState, _ records: Int, isFull: Bool = false, after time: Duration = .zero
    ) -> DoorbellState.Action {
        state.didRead(records: records, isFull: isFull, snapshot: .empty, begun: 0, at: start + time)
    }

    @Test func quietAsksForTheLock() {
        var state = state()
        #expect(state.mode == .awake && state.wait == .milliseconds(5))
        #expect(read(&state, 3) == .none && state.mode == .awake)
        #expect(read(&state, 0, after: .milliseconds(39)) == .none, "it may be a writer's wait for the disk")
        #expect(read(&state, 0, after: .milliseconds(40)) == .askForLock && state.mode == .arming)
        #expect(read(&state, 0, after: .milliseconds(99)) == .none, "it is asked for once")
    }

    @Test func theFirstEmptyReadAsksAtOnce() {
        var state = state()
        #expect(read(&state, 0) == .askForLock && state.mode == .arming)
    }

    @Test func armingPollsMoreAndMorePatiently() {
        var state = state()
        _ = read(&state, 0)
        var waits: [Duration?] = [state.wait]
        for _ in 1...5 {
            _ = read(&state, 0)
            waits.append(state.wait)
        }
        #expect(waits == [5, 10, 20, 40, 50, 50].map { .milliseconds($0) })
        #expect(read(&state, 1) == .none && state.wait == .milliseconds(5))
    }

    @Test func armedItWaitsForTheBellAlone() {
        for sweep in [Duration.seconds(1), nil] {
            var state = state(sweep: sweep)
            _ = read(&state, 0)
            state.didLock()
            #expect(state.mode == .armed && state.wait == sweep)
            // A lone change does not wake it up for good.
            #expect(read(&state, 1) == .none && state.mode == .armed)
            #expect(read(&state, 0) == .none && state.mode == .armed)
        }
    }

    @Test func aFullPageGivesTheLockUp() {
        var state = state()
        #expect(read(&state, 1000, isFull: true) == .none, "there is none")
        _ = read(&state, 0, after: .seconds(1))
        #expect(read(&state, 1000, isFull: true, after: .seconds(1)) == .releaseLock(isHeld: false))
        #expect(state.mode == .awake && state.wait == .milliseconds(5))
        _ = read(&state, 0, after: .seconds(2))
        state.didLock()
        #expect(read(&state, 1000, isFull: true, after: .seconds(2)) == .releaseLock(isHeld: true))
        #expect(state.mode == .awake)
    }

    /// After a burst, writers that leave no pause would otherwise be read by the clock for ever.
    @Test func steadyWritersRingAgain() {
        var state = state()
        for burst in [Duration.zero, .seconds(100)] {
            #expect(read(&state, 1000, isFull: true, after: burst) != .askForLock && state.mode == .awake)
            for count in 1..<400 {
                #expect(read(&state, 1, after: burst + .milliseconds(5 * count)) == .none, "\(count)")
            }
            #expect(read(&state, 1, after: burst + .milliseconds(2_200)) == .askForLock)
            state.didLock()
            #expect(read(&state, 1, after: burst + .seconds(3)) == .none && state.mode == .armed)
        }
    }

    @Test func busyWritersNeverRing() {
        var state = state()
        for count in 0..<2_000 {
            #expect(read(&state, 10, after: .milliseconds(5 * count)) == .none && state.mode == .awake)
        }
    }

    /// A worker that was told to stand down doesn't know what writers did meanwhile.
    @Test func calmBeginsWithTheFirstRead() {
        var state = state()
        #expect(read(&state, 1) == .none)
        _ = state.standDown()
        #expect(read(&state, 1, after: .seconds(100)) == .none)
        #expect(read(&state, 1, after: .milliseconds(101_999)) == .none)
        #expect(read(&state, 1, after: .seconds(102)) == .askForLock)
    }

    @Test func standingDown() {
        var state = state()
        #expect(state.standDown() == .none)
        _ = read(&state, 0)
        #expect(state.standDown() == .releaseLock(isHeld: false))
        #expect(state.standDown() == .none)
        _ = read(&state, 0)
        state.didLock()
        #expect(state.standDown() == .releaseLock(isHeld: true))
        state.didLock()
        #expect(state.mode == .awake, "a grant that comes too late changes nothing")
    }
}
