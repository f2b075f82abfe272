/// How patterns are served.
public struct SweepOptions: Sendable {
    /// The share of Redis' time that a pass may take, above 0 and at most 1.
    public var share: Double
    /// What one SCAN should take at most, for Redis does nothing else meanwhile. Where a pass may take a fifth of Redis'
    /// time, that is the latency which one in a hundred of others' commands has on top of its own: with 2 ms their p99 was
    /// 7 to 10 times what it is without a pass, with 250 µs it was twice that (Benchmarks/run patterns).
    public var callLimit: Duration
    /// The most patterns in one pass; who comes with more waits for the pass after it.
    public var patternsPerPass: Int

    /// Options.
    public init(share: Double = 0.2, callLimit: Duration = .microseconds(200), patternsPerPass: Int = 10_000) {
        self.share = share
        self.callLimit = callLimit
        self.patternsPerPass = patternsPerPass
    }
}
