/// How patterns are served.
public struct SweepOptions: Sendable {
    /// The share of Redis' time that a pass may take, above 0 and at most 1.
    public var share: Double
    /// What one SCAN should take at most, for Redis does nothing else meanwhile.
    public var callLimit: Duration
    /// The most patterns in one pass; who comes with more waits for the pass after it.
    public var patternsPerPass: Int

    /// Options.
    public init(share: Double = 0.2, callLimit: Duration = .milliseconds(2), patternsPerPass: Int = 10_000) {
        self.share = share
        self.callLimit = callLimit
        self.patternsPerPass = patternsPerPass
    }
}
