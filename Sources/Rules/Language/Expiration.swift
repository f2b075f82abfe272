/// Entries that a rule lets live a little longer: readers are served the stale value while one loads the new.
public struct Expiration: Sendable {
    /// The entries' keys.
    public let keys: [Template]
    /// How much longer.
    public let after: Duration
}
