import Rules

/// A key that its own fault kept from being deleted. Trouble of the target is waited for and never a failure.
public struct Failure: Hashable, Sendable {
    /// The key.
    public var key: Key
    /// What Redis said, in one line.
    public var reason: String

    /// The failure of this key.
    public init(key: Key, reason: String) {
        self.key = key
        self.reason = reason
    }
}
