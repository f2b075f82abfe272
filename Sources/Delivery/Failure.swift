import Redis
import Rules

/// A key that its own fault kept from being deleted. Trouble of the target is waited for and never a failure.
public struct Failure: Hashable, Sendable {
    /// The key.
    public var key: Key
    /// What Redis said, in one line.
    public var reason: String

    /// The same for logs: without keys.
    public var summary: String { Self.ownReasons.contains(reason) ? reason : RedisErrorReply(reason).kind }

    /// What Redis was not even asked.
    static let longKey = "the key is longer than Redis allows"
    /// … of a key that has to be fenced.
    static let longFence = "the name of the key's fence is longer than Redis allows"
    /// … in a Cluster.
    static let braces = "a key with } and without a hash tag can't be fenced in a Cluster"
    private static let ownReasons: Set = [longKey, longFence, braces, TagProgress.longName, TagProgress.badName]

    /// The failure of this key.
    public init(key: Key, reason: String) {
        self.key = key
        self.reason = reason
    }
}
