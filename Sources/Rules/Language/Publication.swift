/// What a rule tells listeners on a Redis channel, once its entries are gone or fresh.
public struct Publication: Sendable {
    /// The channel: without columns, for when any row may have changed, everybody has to hear of it.
    public let channel: Template
    /// What is told instead of what is stale as JSON; nil: that.
    public let message: Template?

    /// The channel's name.
    public var channelName: [UInt8] { channel.leadingText }
}
