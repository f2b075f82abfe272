import DequeModule

/// How fast a pass may go: how many keys to ask for in one SCAN, and how long to leave Redis alone afterwards.
/// A value, fed with measured round trips.
///
/// A round trip is as long as Redis takes, and longer by whatever else keeps the machine busy; never shorter. So what a
/// key takes of Redis' time is told by the quicker ones of the last.
struct SweepPace {
    /// `COUNT` of the next SCAN.
    private(set) var count = countRange.lowerBound

    private let share: Double
    private let callLimit: Duration
    /// What a round trip takes at most when Redis has nothing to do for it. Those that it was measured by may have been
    /// disturbed, so a SCAN that is quicker tells better.
    private var latency: Duration

    private var scans = KeyCost()
    private var deletes = KeyCost()

    /// A hundred keys take Redis some 0.1 ms, where a million others keep them out of the processor's caches: less than
    /// the noise of round trips, so there is nothing to gain below.
    private static let countRange = 100...10_000
    /// A round trip in which Redis stood still (a fork, a stopped process) says nothing about its load.
    private static let maximumRest = Duration.milliseconds(100)

    init(share: Double, callLimit: Duration, latency: Duration) {
        self.share = share
        self.callLimit = callLimit
        self.latency = latency
    }

    /// A pace by options, where a round trip takes what the best of three takes.
    ///
    /// - Parameter roundTrip: makes one for which Redis has nothing to do.
    init<Failure>(
        _ options: SweepOptions, roundTrip: () async throws(Failure) -> Void
    ) async throws(Failure) {
        var latency = Duration.seconds(1)
        for _ in 0..<3 {
            let start = ContinuousClock.now
            try await roundTrip()
            latency = min(latency, .now - start)
        }
        self.init(share: options.share, callLimit: options.callLimit, latency: latency)
    }

    /// A SCAN took this long. Adapts ``count``, and gives how long to rest.
    mutating func scanned(in roundTrip: Duration) -> Duration {
        latency = min(latency, roundTrip)
        let cost = scans.cost(of: count, in: serverTime(of: roundTrip))
        if cost > callLimit {
            count = max(Self.countRange.lowerBound, Int(Double(count) * (callLimit / cost)))
        } else if cost < callLimit / 2 {
            count = min(Self.countRange.upperBound, count * 2)
        }
        return rest(after: cost)
    }

    /// Deleting so many keys took this long. Gives how long to rest.
    mutating func deleted(_ keys: Int, in roundTrip: Duration) -> Duration {
        rest(after: deletes.cost(of: keys, in: serverTime(of: roundTrip)))
    }

    /// Something else took this long. Gives how long to rest.
    func visited(in roundTrip: Duration) -> Duration { rest(after: serverTime(of: roundTrip)) }

    private func serverTime(of roundTrip: Duration) -> Duration { max(.zero, roundTrip - latency) }

    private func rest(after cost: Duration) -> Duration { Self.rest(after: cost, share: share) }

    /// How long to leave Redis alone, after what took this long of its time, so that this was no more than the share.
    static func rest(after cost: Duration, share: Double) -> Duration { min(maximumRest, cost * (1 / share - 1)) }

    /// What commands of one kind take Redis for each key.
    private struct KeyCost {
        private var last: Deque<Duration> = []
        /// So many are looked at: where half of them are disturbed, the lower quartile is not.
        private static let memory = 9

        /// Takes note of what a command took at most, and gives what it will have taken of it.
        mutating func cost(of keys: Int, in time: Duration) -> Duration {
            guard keys > 0 else { return .zero }
            last.append(time / Double(keys))
            if last.count > Self.memory { last.removeFirst() }
            return min(time, last.sorted()[last.count / 4] * Double(keys))
        }
    }
}
