/// How often an entry goes stale, and so how long its next load had better wait: where there is much to do, one load
/// for some forty changes of an entry that changes all the time, and at once for every other.
struct ChangeRate: Sendable {
    /// The mean time between changes, each new one counting for a quarter. At first it is that of a busy entry.
    private var mean = Duration.milliseconds(50)
    private var last: ContinuousClock.Instant

    init(at now: ContinuousClock.Instant) { last = now }

    /// The entry went stale again.
    mutating func changed(at now: ContinuousClock.Instant) {
        mean += (now - last - mean) / 4
        last = now
    }

    /// The time from one load to the next.
    ///
    /// - Parameters:
    ///   - isBusy: Whether the loader has a lot to do. If it has not, waiting would save nothing worth it, unless the
    ///     entry alone makes it busy.
    ///   - limit: The most that is to be waited.
    func interval(isBusy: Bool, limit: Duration) -> Duration {
        let often = isBusy ? Duration.milliseconds(500) : Duration.milliseconds(25)
        return mean <= often ? min(mean * Self.changesPerLoad, limit) : .zero
    }

    /// The longest interval, whatever the deadline.
    static let longestInterval = Duration.milliseconds(1_200)
    private static let changesPerLoad = 40
}
