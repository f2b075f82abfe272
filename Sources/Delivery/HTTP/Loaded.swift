/// What a loader found.
enum Loaded: Hashable, Sendable {
    /// The value to store.
    case value([UInt8])
    /// There is nothing to store.
    case absent
    /// There is more than a rule allows to be stored.
    case tooLarge
    /// The attempt failed: why, in one line without secrets and without anything of a row.
    case failed(String)
    /// The query failed: why, in the server's words, which may quote values, and in a line that doesn't.
    case refused(String, summary: String)
}
