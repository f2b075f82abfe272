import NIOCore

/// Sits between socket and HTTP and says, when a connection ends before it answers, whether it had answered before.
final class ConnectionWatch: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private var hasAnswered = false
    private var isAwaited = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        isAwaited = true
        context.write(data, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasAnswered = true
        isAwaited = false
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.fireErrorCaught(isAwaited ? takeEnd() : error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isAwaited { context.fireErrorCaught(takeEnd()) }
        context.fireChannelInactive()
    }

    private func takeEnd() -> ConnectionEnd {
        isAwaited = false
        return .unanswered(hadAnswered: hasAnswered)
    }
}
