/// How long to wait before trying again: exponential with full jitter, a random time between nothing and a
/// ceiling that doubles with every failure up to a cap. Of the ways to add randomness it is the one that makes
/// competing clients do the least work (Brooker: Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
public struct Backoff: Sendable {
    private let base: Duration
    private let cap: Duration

    /// Doubles from `base`, the most after the first failure, up to `cap`.
    public static func exponential(base: Duration, cap: Duration) -> Backoff {
        Backoff(base: base, cap: cap)
    }

    /// The time to wait after this many failures in a row, at least 1.
    public func delay(afterFailures failures: Int, using random: inout some RandomNumberGenerator) -> Duration {
        ceiling(afterFailures: failures) * Double.random(in: 0...1, using: &random)
    }

    private func ceiling(afterFailures failures: Int) -> Duration {
        // More doublings than a Duration takes, and 2^62 nanoseconds are 146 years.
        let doublings = min(max(failures - 1, 0), 62)
        return min(cap, base * Double(UInt64(1) << doublings))
    }
}
