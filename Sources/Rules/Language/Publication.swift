/// A message that a rule publishes.
public struct Publication: Sendable {
    /// The Redis channel.
    public let channel: Template
    /// What is told.
    public let message: Template
}
