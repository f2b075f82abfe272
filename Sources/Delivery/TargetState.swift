/// Where a target stands.
public enum TargetState: Hashable, Sendable {
    /// It has not been reached yet, since the start.
    case connecting
    /// It takes commands.
    case connected
    /// It is waited for: since when, and why, in one line.
    case paused(since: ContinuousClock.Instant, reason: String)
}
