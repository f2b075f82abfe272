import Glibc
import NIOCore
import NIOSSL

/// One connection to an ``HTTPPeer``.
final class HTTPPeerConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let peer: HTTPPeer
    private let number: Int
    private var received: [UInt8] = []
    private var requests = 0

    init(of peer: HTTPPeer, number: Int) {
        self.peer = peer
        self.number = number
    }

    func channelActive(context: ChannelHandlerContext) {
        if !peer.greeting.isEmpty { run([.send(peer.greeting)], on: context.channel) }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        received += Array(buffer: bytes)
        peer.state.withLock { $0.received += bytes.readableBytes }
        while let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
            let request = HTTPPeer.Request(
                text: String(decoding: received[..<end.upperBound], as: UTF8.self), connection: number,
                predecessors: requests)
            received.removeSubrange(..<end.upperBound)
            requests += 1
            peer.state.withLock { $0.requests.append(request) }
            run(peer.respond(request)[...], on: context.channel)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func run(_ steps: ArraySlice<HTTPPeer.Step>, on channel: any Channel) {
        guard let step = steps.first else { return }
        let rest = steps.dropFirst()
        switch step {
        case .send(let text):
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            run(rest, on: channel)
        case .flood(let text): flood(text, on: channel)
        case .hold:
            let loop = channel.eventLoop
            let this = NIOLoopBound(self, eventLoop: loop)
            peer.state.withLock { state in
                state.held.append { loop.execute { this.value.run(rest, on: channel) } }
            }
        case .close: channel.close(promise: nil)
        case .cut: closeSocket(of: channel)
        case .reset:
            // To close without lingering is to reset.
            (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                .whenComplete { _ in channel.close(promise: nil) }
        }
    }

    private func closeSocket(of channel: any Channel) {
        if let tls = try? channel.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            channel.close(promise: nil)
        }
    }

    private func flood(_ text: String, on channel: any Channel) {
        let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
        channel.writeAndFlush(ByteBuffer(string: text)).whenSuccess {
            // A loop that is given one task after the other never gets to its sockets.
            channel.eventLoop.scheduleTask(in: .milliseconds(1)) { this.value.flood(text, on: channel) }
        }
    }
}
