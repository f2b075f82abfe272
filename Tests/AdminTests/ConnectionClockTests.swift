import Testing

@testable import Admin

/// By when a connection has to have done something: the decision alone.
@Suite struct ConnectionClockTests {
    private let start = ContinuousClock.now
    private var clock: ConnectionClock

    init() { clock = ConnectionClock(limits: .init(), openedAt: start) }

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private var deadline: Int? { clock.deadline.map { Int(($0 - start) / .seconds(1)) } }

    @Test mutating func aRequestHasTenSecondsWhateverComes() {
        #expect(deadline == 10)
        clock.bytesCame(at: at(3))
        clock.headCame()
        clock.bytesCame(at: at(9))
        #expect(deadline == 10)
        clock.requestEnded(at: at(9))
        #expect(deadline == nil, "an answer takes as long as it takes")
        clock.answered(isLast: false, at: at(20))
        #expect(deadline == 80)
        clock.bytesCame(at: at(30))
        #expect(deadline == 40)
    }

    @Test mutating func theNextRequestMayComeBeforeTheAnswer() {
        clock.bytesCame(at: at(0))
        clock.headCame()
        clock.requestEnded(at: at(0))
        clock.bytesCame(at: at(5))
        #expect(deadline == 15)
        clock.answered(isLast: false, at: at(6))
        #expect(deadline == 15)
        clock.headCame()
        clock.requestEnded(at: at(7))
        #expect(deadline == nil)
    }

    @Test mutating func anAnswerThatNobodyTakes() {
        clock.bytesCame(at: at(0))
        clock.headCame()
        clock.requestEnded(at: at(1))
        clock.writes(isPossible: false, at: at(2))
        #expect(deadline == 62)
        clock.writes(isPossible: true, at: at(60))
        #expect(deadline == nil)
    }

    @Test mutating func theLastAnswerEndsTheConnectionOnceAllHasCome() {
        clock.bytesCame(at: at(0))
        clock.headCame()
        clock.answered(isLast: true, at: at(1))
        #expect(!clock.isOver, "the rest of the body is still to come")
        #expect(deadline == 10)
        clock.requestEnded(at: at(2))
        #expect(clock.isOver)
    }

    @Test mutating func theEndGivesAnswersAMoment() {
        clock.bytesCame(at: at(0))
        clock.headCame()
        clock.requestEnded(at: at(1))
        #expect(!clock.isQuiet)
        clock.end(at: at(5))
        clock.end(at: at(6))
        #expect(deadline == 7)
        clock.answered(isLast: false, at: at(6))
        #expect(clock.isOver)
    }
}
