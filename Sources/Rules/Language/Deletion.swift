/// Keys that a rule deletes.
public struct Deletion: Sendable {
    /// Keys, one for each row.
    public var keys: [Template] = []
    /// Globs over keys.
    public var patterns: [Template] = []
    /// Sets that hold the keys that are filed under them.
    public var tags: [Template] = []
}
