import DequeModule

/// How fast a pass may go: how many keys to ask for in one SCAN, and how long to leave Redis alone afterwards.
/// A value, fed with measured round trips.
struct SweepPace {
    /// `COUNT` of the next SCAN.
    private(set) var count = 100

    private let share: Double
    private let callLimit: Duration
    /// What a round trip takes when Redis has nothing to do for it.
    private let latency: Duration

    /// What a key took of the last SCANs.
    private var keyCosts: Deque<Duration> = []
    /// So many: round trips are noisy, and one in the middle of these is not.
    private static let memory = 9

    private static let countRange = 10...10_000
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
        let cost = cost(of: roundTrip)
        keyCosts.append(cost / Double(count))
        if keyCosts.count > Self.memory { keyCosts.removeFirst() }
        let keyCost = keyCosts.sorted()[keyCosts.count / 2]
        if keyCost * Double(count) > callLimit {
            count = max(Self.countRange.lowerBound, Int(callLimit / keyCost))
        } else if cost < callLimit / 2 {
            count = min(Self.countRange.upperBound, count * 2)
        }
        return rest(after: cost)
    }

    /// Deleting what was found took this long. Gives how long to rest.
    func deleted(in roundTrip: Duration) -> Duration { rest(after: cost(of: roundTrip)) }

    private func cost(of roundTrip: Duration) -> Duration { max(.zero, roundTrip - latency) }

    private func rest(after cost: Duration) -> Duration { min(Self.maximumRest, cost * (1 / share - 1)) }
}
