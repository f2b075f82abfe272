import TestSupport
import Testing

@testable import Delivery

@Suite struct BackoffTests {
    private let backoff = Backoff.exponential(base: .milliseconds(50), cap: .seconds(1))

    @Test(arguments: zip([0, 1, 2, 3, 4, 5, 6, 1000, .max], [50, 50, 100, 200, 400, 800, 1000, 1000, 1000]))
    func isAnyTimeUpToACeilingThatDoubles(failures: Int, milliseconds: Int) {
        var random = SeededGenerator(seed: 1)
        let delays = (0..<1000).map { _ in backoff.delay(afterFailures: failures, using: &random) }
        let ceiling = Duration.milliseconds(milliseconds)
        #expect(delays.allSatisfy { $0 >= .zero && $0 <= ceiling })
        #expect(delays.contains { $0 < ceiling * 0.02 } && delays.contains { $0 > ceiling * 0.98 })
    }
}
