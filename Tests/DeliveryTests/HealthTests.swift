import Testing

@testable import Delivery

@Suite struct HealthTests {
    private let start = ContinuousClock.now

    @Test func announcesAPauseAndARecoveryOnce() {
        var health = Health()
        #expect(health.state == .connecting)
        #expect(health.succeeded(at: start) == .connected)
        #expect(health.succeeded(at: start) == .none)
        #expect(health.failed("lost", at: start) == .paused(reason: "lost"))
        #expect(health.failed("LOADING", at: start + .seconds(1)) == .none)
        #expect(health.state == .paused(since: start, reason: "LOADING"))
        #expect(health.failures == 2)
        #expect(health.succeeded(at: start + .seconds(3)) == .recovered(after: .seconds(3)))
        #expect(health.state == .connected && health.failures == 0)
    }

    @Test func aStartWithoutServerIsAPause() {
        var health = Health()
        #expect(health.failed("refused", at: start) == .paused(reason: "refused"))
        #expect(health.succeeded(at: start + .seconds(1)) == .recovered(after: .seconds(1)))
    }
}
