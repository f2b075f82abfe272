public import Rules

/// What is asked of a target on a rule's behalf, in a form that outlives the process. Whatever comes from rows or from
/// Redis has in it the bytes that it had there.
public enum Action: Codable, Hashable, Sendable {
    /// Delete a key.
    case delete(key: Key)
    /// Run the rule's lookup and delete what it leads to.
    case lookup(LookupCall.Record)
    /// Delete what is filed under a tag.
    case tag(key: Key)
    /// Let an entry live for that long at most.
    case expire(key: Key, milliseconds: Int64)
    /// Increment a counter.
    case bump(key: Key)
    /// Tell listeners.
    case publish(message: ByteText)
    /// Load an entry anew.
    case rewarm(RewarmCall.Record)
}

/// An action that failed on its own account: to be tried again, and after some attempts a dead letter.
public struct FailedAction: Hashable, Sendable {
    /// The rule's name.
    public var rule: String
    /// What was tried.
    public var action: Action
    /// What was answered, on one line.
    public var reason: String
    /// The same for logs: without keys and what stands in rows.
    public var summary: String
}
