import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Cuts connections that keep us waiting. It stands at both ends of the pipeline: where bytes come in, and where
/// they have become parts of requests. What it holds belongs to the event loop.
final class ConnectionGuard {
    /// So many bytes may come before a request's head is whole.
    private static let headLimit = 16 << 10

    private var clock: ConnectionClock
    private var timer: Scheduled<Void>?
    private var timerDeadline: ContinuousClock.Instant?
    private var bytesOfHead = 0
    private var saysLast = false

    init(limits: ConnectionClock.Limits) { clock = ConnectionClock(limits: limits, openedAt: .now) }

    /// The handler that stands first.
    final class Bytes: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ByteBuffer
        private let guardian: ConnectionGuard

        init(_ guardian: ConnectionGuard) { self.guardian = guardian }

        func handlerAdded(context: ChannelHandlerContext) { guardian.schedule(context) }
        func handlerRemoved(context: ChannelHandlerContext) { guardian.timer?.cancel() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guardian.bytesCame(unwrapInboundIn(data).readableBytes)
            context.fireChannelRead(data)
            guardian.settle(context)
            if guardian.headIsTooLarge { context.close(promise: nil) }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            guardian.clock.writes(isPossible: context.channel.isWritable, at: .now)
            guardian.settle(context)
            context.fireChannelWritabilityChanged()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard event is ConnectionMustEnd else { return context.fireUserInboundEventTriggered(event) }
            if guardian.clock.isQuiet { return context.close(promise: nil) }
            guardian.clock.end(at: .now)
            guardian.settle(context)
        }
    }

    /// The handler that stands where there are requests and answers.
    final class Parts: ChannelDuplexHandler {
        typealias InboundIn = HTTPRequestPart
        typealias InboundOut = HTTPRequestPart
        typealias OutboundIn = HTTPResponsePart
        typealias OutboundOut = HTTPResponsePart
        private let guardian: ConnectionGuard

        init(_ guardian: ConnectionGuard) { self.guardian = guardian }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head:
                guardian.bytesOfHead = 0
                guardian.clock.headCame()
            case .body: break
            case .end:
                guardian.bytesOfHead = 0
                guardian.clock.requestEnded(at: .now)
            }
            context.fireChannelRead(data)
            guardian.settle(context)
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            switch unwrapOutboundIn(data) {
            case .head(let head):
                guardian.saysLast = head.headerFields[.connection]?.lowercased() == "close"
                context.write(data, promise: promise)
            case .body: context.write(data, promise: promise)
            case .end:
                let written = promise ?? context.eventLoop.makePromise()
                let isLast = guardian.saysLast
                written.futureResult.assumeIsolated().whenComplete { _ in
                    self.guardian.clock.answered(isLast: isLast, at: .now)
                    self.guardian.settle(context)
                }
                context.write(data, promise: written)
            }
        }

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            if mode == .output { guardian.clock.end(at: .now) }
            context.close(mode: mode, promise: promise)
            guardian.settle(context)
        }
    }

    private func bytesCame(_ count: Int) {
        clock.bytesCame(at: .now)
        if clock.isInHead { bytesOfHead += count }
    }

    private var headIsTooLarge: Bool { clock.isInHead && bytesOfHead > Self.headLimit }

    private func settle(_ context: ChannelHandlerContext) {
        if clock.isOver { return context.close(promise: nil) }
        schedule(context)
    }

    /// Has the deadline watched. A timer that is early looks again.
    private func schedule(_ context: ChannelHandlerContext) {
        guard let deadline = clock.deadline else { return }
        if let timerDeadline, timerDeadline <= deadline { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(max(.zero, deadline - .now))) {
            self.timerFired(context)
        }
    }

    private func timerFired(_ context: ChannelHandlerContext) {
        timer = nil
        timerDeadline = nil
        if let deadline = clock.deadline, deadline <= .now { return context.close(promise: nil) }
        schedule(context)
    }
}

/// The worker stops: what is being answered may be finished, and nothing else.
struct ConnectionMustEnd: Sendable {}
