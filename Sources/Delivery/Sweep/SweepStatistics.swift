/// What a sweeper has done since it was made.
public struct SweepStatistics: Hashable, Sendable {
    /// Passes that came to their end.
    public var passes = 0
    /// Passes that were broken off, because the connection was lost, and made anew.
    public var brokenPasses = 0
    /// Keys that SCAN returned.
    public var keysScanned = 0
    /// Keys that some pattern matched.
    public var keysMatched = 0

    /// Fences that SCAN returned and some fenced pattern was about.
    public var fencesMatched = 0

    /// Nothing done yet.
    public init() {}
}
