/// How patterns are served.
public struct SweepOptions: Sendable {
    /// The share of Redis' time that a pass may take, above 0 and at most 1.
    public var share: Double
    /// What one SCAN should take at most, for Redis does nothing else meanwhile. With a pass that takes a fifth of Redis'
    /// time, that is the latency which one in a hundred of others' commands has on top of its own: with 2 ms their p99 was
    /// 7 to 10 times what it is without a pass, with 200 to 250 µs two to three times (Benchmarks/run patterns).
    public var callLimit: Duration
    /// The most patterns in one pass; who comes with more waits for the pass after it.
    public var patternsPerPass: Int

    /// Options.
    ///
    /// - Parameter callLimit: nil: 125 µs, and more where the share is larger, up to 1.25 ms. What others lose is how often
    ///   they meet a SCAN times how long it takes, and whoever gives a pass all of Redis' time wants it over soon.
    public init(share: Double = 0.2, callLimit: Duration? = nil, patternsPerPass: Int = 10_000) {
        self.share = share
        self.callLimit = callLimit ?? max(.microseconds(125), .microseconds(1_250) * share * share)
        self.patternsPerPass = patternsPerPass
    }
}
