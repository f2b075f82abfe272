/// What was published on a channel.
public struct RedisMessage: Hashable, Sendable {
    /// The channel.
    public var channel: String
    /// What was published: as a rule a binary-safe string; for `__redis__:invalidate` keys, or null.
    public var payload: RedisReply

    /// Nil when the reply is something else.
    init?(_ reply: RedisReply) {
        guard case .array(let parts) = reply, parts.count == 3, parts[0] == .bulk(Array("message".utf8)),
            let channel = parts[1].text
        else { return nil }
        self.channel = channel
        payload = parts[2]
    }
}

extension RedisConnection {
    /// Subscribes to channels. From then on the connection takes nothing but PING and the like.
    ///
    /// - Parameter onMessage: called for each message, in their order and before the reply to anything that is sent
    ///   later returns. It runs on the connection's event loop and must not block.
    ///
    /// Throws `refused` when the server doesn't let us, and what ``pipeline(_:deadline:)`` throws.
    public func subscribe(
        to channels: [String], deadline: Duration, onMessage: @escaping @Sendable (RedisMessage) -> Void
    ) async throws(RedisError) {
        receive(onMessage)
        // A command that names several channels is answered once for each of them.
        let replies = try await pipeline(channels.map { RedisCommand("SUBSCRIBE", $0) }, deadline: deadline)
        for reply in replies {
            if case .error(let refusal) = reply {
                throw RedisError(.refused, refusal.text, doing: "SUBSCRIBE on \(url)")
            }
        }
    }
}
