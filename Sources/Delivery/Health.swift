/// What is known of a target, and what to make of news about it. A value: carrying that out is its owner's.
struct Health {
    /// What to tell people, once per pause and once per recovery.
    enum Announcement: Hashable {
        case none
        case connected
        case paused(reason: String)
        case recovered(after: Duration)
    }

    private(set) var state = TargetState.connecting
    /// Failures in a row, by which the backoff grows.
    private(set) var failures = 0

    /// Something went wrong. A pause that lasts keeps its beginning, and takes the newest reason.
    mutating func failed(_ reason: String, at now: ContinuousClock.Instant) -> Announcement {
        failures += 1
        if case .paused(let since, _) = state {
            state = .paused(since: since, reason: reason)
            return .none
        }
        state = .paused(since: now, reason: reason)
        return .paused(reason: reason)
    }

    /// The target takes commands.
    mutating func succeeded(at now: ContinuousClock.Instant) -> Announcement {
        defer {
            state = .connected
            failures = 0
        }
        switch state {
        case .connecting: return .connected
        case .connected: return .none
        case .paused(let since, _): return .recovered(after: now - since)
        }
    }
}
