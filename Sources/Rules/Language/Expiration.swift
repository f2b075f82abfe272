/// Entries that a rule lets live a little longer instead of deleting them: they are stale, and served meanwhile.
public struct Expiration: Sendable {
    /// The entries' keys.
    public let keys: [Template]
    /// How long at most. What would have expired before does.
    public let after: Duration
}
