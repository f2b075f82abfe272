import NIOCore
import NIOTLS

/// The end of a connection's channel: writes pipelines, matches the replies, and fails everybody who waits when
/// they can no longer be matched. Confined to its channel's event loop.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiter {
        let outcome: OneShot<[RedisReply], RedisError>
        let timeout: Scheduled<Void>
    }

    private let reader: ReplyReader
    private var queue = PipelineQueue<Waiter>()
    private var context: ChannelHandlerContext?
    /// What is told unasked on channels that were subscribed to.
    private var onMessage: (@Sendable (RedisMessage) -> Void)?
    /// Why the channel is of no more use; nil while it is.
    private var failure: RedisError?
    /// Whether TLS is still being negotiated: what was sent waits for that.
    private var isShakingHands: Bool

    /// - Parameters:
    ///   - tls: Whether TLS comes first.
    ///   - packsStrings: see ``RedisConnectionOptions/packsStrings``.
    init(tls: Bool, packsStrings: Bool) {
        isShakingHands = tls
        reader = ReplyReader(packsStrings: packsStrings)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Writes the bytes of `count` commands. A reply that isn't there by the deadline ends the connection.
    func send(
        _ bytes: ByteBuffer, expecting count: Int, within deadline: Duration,
        outcome: OneShot<[RedisReply], RedisError>
    ) {
        guard failure == nil, let context else {
            outcome.resolve(.failure(failure ?? RedisError(.disconnected, "the connection is closed")))
            return
        }
        let timeout = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(deadline)) {
            self.fail(self.isShakingHands ? .noHandshake(within: deadline) : .noAnswer(within: deadline))
        }
        queue.append(Waiter(outcome: outcome, timeout: timeout), expecting: count)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        reader.feed(unwrapInboundIn(data))
        do throws(RedisError) {
            while failure == nil, let reply = try reader.next() { try receive(reply) }
        } catch {
            fail(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { isShakingHands = false }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(isShakingHands ? .closedInHandshake : .closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(.disconnected(by: error))
    }

    /// From now on messages are no replies.
    func subscribe(_ onMessage: @escaping @Sendable (RedisMessage) -> Void) { self.onMessage = onMessage }

    private func receive(_ reply: RedisReply) throws(RedisError) {
        if let onMessage, let message = RedisMessage(reply) { return onMessage(message) }
        guard !queue.isEmpty else {
            // A server that turns us away (too many clients, protected mode) says so unasked and hangs up.
            if case .error(let refusal) = reply { throw RedisError(.refused, refusal.text) }
            throw RedisError(.protocolViolation, "a reply that nobody asked for")
        }
        guard let (waiter, replies) = queue.receive(reply) else { return }
        waiter.timeout.cancel()
        waiter.outcome.resolve(.success(replies))
    }

    /// Ends the connection, at the first call only: the replies can't be matched any more.
    private func fail(_ error: RedisError) {
        guard failure == nil else { return }
        failure = error
        for waiter in queue.drain() {
            waiter.timeout.cancel()
            waiter.outcome.resolve(.failure(error))
        }
        context?.close(promise: nil)
    }
}
