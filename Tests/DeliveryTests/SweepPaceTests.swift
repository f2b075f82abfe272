import Testing

@testable import Delivery

@Suite struct SweepPaceTests {
    private func pace(share: Double = 0.2) -> SweepPace {
        SweepPace(share: share, callLimit: .milliseconds(2), latency: .milliseconds(1))
    }

    @Test func restsFourTimesWhatAFifthTook() {
        var fifth = pace()
        #expect(fifth.scanned(in: .milliseconds(3)) == .milliseconds(8))
        #expect(fifth.deleted(in: .milliseconds(2)) == .milliseconds(4))
        #expect(fifth.scanned(in: .microseconds(900)) == .zero, "quicker than the latency")
        #expect(fifth.scanned(in: .seconds(30)) == .milliseconds(100), "Redis stood still")
        var whole = pace(share: 1)
        #expect(whole.scanned(in: .milliseconds(3)) == .zero)
    }

    @Test func adaptsTheCount() {
        var pace = pace()
        #expect(pace.count == 100)
        _ = pace.scanned(in: .microseconds(1100))
        #expect(pace.count == 200)
        _ = pace.scanned(in: .microseconds(2500))
        #expect(pace.count == 200, "between half of the limit and the limit")
        _ = pace.scanned(in: .milliseconds(5))
        #expect(pace.count == 100)
        for _ in 0..<20 { _ = pace.scanned(in: .milliseconds(1)) }
        #expect(pace.count == 10_000)
        for _ in 0..<20 { _ = pace.scanned(in: .seconds(1)) }
        #expect(pace.count == 10)
    }
}
