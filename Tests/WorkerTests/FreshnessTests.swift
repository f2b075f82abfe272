import Capture
import Testing

@testable import Worker

/// How old changes are is told by the server's clock, and a batch is as old as its oldest change.
@Suite struct FreshnessTests {
    private static func second(_ second: Int64) -> ServerTime { ServerTime(microseconds: second * 1_000_000) }

    /// By the server's clock it is ten seconds after the turn of the millennium.
    private static func freshness() -> Freshness {
        let freshness = Freshness(target: "test")
        freshness.set(ServerClock(second(10), at: .now))
        return freshness
    }

    /// The test itself may be slow, so an age has a margin.
    private static func isAbout(_ seconds: Int, _ age: Duration?) -> Bool {
        age.map { $0 >= .seconds(seconds) && $0 < .seconds(seconds + 2) } ?? false
    }

    @Test func aBatchIsAsOldAsItsOldestChange() {
        let freshness = Self.freshness()
        let ticket = freshness.begin([9, 4, 8].map(Self.second), floor: nil)
        #expect(freshness.unserved == 3)
        #expect(Self.isAbout(6, freshness.backlog.lag))
        #expect(Self.isAbout(6, freshness.served(ticket)))
        #expect(Self.isAbout(6, freshness.slowest))
        #expect(freshness.unserved == 0 && freshness.backlog.lag == .zero)
    }

    /// What a read did not see was committed after it, whenever its statement ran.
    @Test func noChangeIsOlderThanTheReadThatDidNotSeeIt() {
        let freshness = Self.freshness()
        #expect(Self.isAbout(3, freshness.served(freshness.begin([4, 8].map(Self.second), floor: Self.second(7)))))
    }

    /// The server's clock is read half a round trip late.
    @Test func nothingIsOfTheFuture() {
        let freshness = Self.freshness()
        #expect(freshness.served(freshness.begin([Self.second(1_000)], floor: nil)) == .zero)
    }

    @Test func whatHasNoAge() {
        let freshness = Self.freshness()
        #expect(freshness.served(freshness.begin([], floor: nil)) == nil)
        let clockless = Freshness(target: "test")
        #expect(clockless.served(clockless.begin([Self.second(1)], floor: nil)) == nil)
        #expect(clockless.unserved == 0)
    }
}
