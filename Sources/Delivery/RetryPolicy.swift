/// How often an action that fails on its own account is tried, and when.
public struct RetryPolicy: Sendable {
    /// Attempts in all, the first included; after the last it is a dead letter.
    public var attempts: Int
    /// The time between two attempts.
    public var backoff: Backoff

    /// DESIGN's five attempts, some seconds apart.
    public init(attempts: Int = 5, backoff: Backoff = .exponential(base: .seconds(1), cap: .seconds(60))) {
        self.attempts = attempts
        self.backoff = backoff
    }

    func delay(afterAttempts attempts: Int) -> Duration {
        var random = SystemRandomNumberGenerator()
        return backoff.delay(afterFailures: attempts, using: &random)
    }
}
