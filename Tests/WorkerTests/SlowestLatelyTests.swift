import Testing

@testable import Worker

/// The longest of this second and of the one before.
@Suite struct SlowestLatelyTests {
    @Test func theLongestOfTwoSeconds() {
        var slowest = SlowestLately()
        #expect(slowest.value(at: 10) == .zero)
        for duration in [2, 7, 3] { slowest.add(.milliseconds(duration), at: 10) }
        #expect(slowest.value(at: 10) == .milliseconds(7))
        slowest.add(.milliseconds(4), at: 11)
        #expect(slowest.value(at: 11) == .milliseconds(7), "who asks once a second misses none")
        #expect(slowest.value(at: 12) == .milliseconds(4))
        #expect(slowest.value(at: 13) == .zero)
    }

    @Test func nothingOfOldAfterSilence() {
        var slowest = SlowestLately()
        slowest.add(.seconds(1), at: 10)
        slowest.add(.milliseconds(1), at: 20)
        #expect(slowest.value(at: 20) == .milliseconds(1))
    }
}
