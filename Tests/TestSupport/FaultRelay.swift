import NIOCore

/// One connection through a ``FaultProxy``: a client's end and a server's, on one event loop.
final class FaultRelay {
    enum Side { case client, server }

    /// The handler of one end's channel.
    final class End: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let relay: FaultRelay
        private let side: Side

        init(_ relay: FaultRelay, side: Side) {
            self.relay = relay
            self.side = side
        }

        func handlerAdded(context: ChannelHandlerContext) { relay.channels[side] = context.channel }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            relay.received(unwrapInboundIn(data), from: side)
        }

        func channelInactive(context: ChannelHandlerContext) { relay.close() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { relay.close() }
    }

    private let proxy: FaultProxy
    private var channels: [Side: any Channel] = [:]
    private var filter = PoisonFilter()
    private var held: [(bytes: ByteBuffer, side: Side)] = []

    init(proxy: FaultProxy) { self.proxy = proxy }

    /// Lets go what a stall held back, if the stall is over.
    func release() {
        guard proxy.fault != .stall else { return }
        let waiting = held
        held = []
        for (bytes, side) in waiting { received(bytes, from: side) }
    }

    private func received(_ bytes: ByteBuffer, from side: Side) {
        switch proxy.fault {
        case .stall: held.append((bytes, side))
        case .swallowReplies where side == .server: break
        case .none, .refuse, .swallowReplies: pass(bytes, from: side)
        case .delay(let duration):
            channels[side]?.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) {
                self.pass(bytes, from: side)
            }
        }
    }

    private func pass(_ bytes: ByteBuffer, from side: Side) {
        guard proxy.content == .redis else { return send(bytes, to: side == .client ? .server : .client) }
        do {
            switch side {
            case .client:
                let (requests, answers) = try filter.requests(
                    bytes, poison: proxy.state.withLock { $0.poison })
                send(requests, to: .server)
                send(answers, to: .client)
            case .server:
                send(try filter.replies(bytes), to: .client)
            }
        } catch {
            close()
        }
    }

    private func send(_ bytes: ByteBuffer, to side: Side) {
        guard bytes.readableBytes > 0 else { return }
        channels[side]?.writeAndFlush(bytes, promise: nil)
    }

    private func close() {
        for channel in channels.values { channel.close(promise: nil) }
        channels = [:]
    }
}
