import NIOCore
import NIOPosix
import Redis

/// A TCP server that answers the login, and after that whatever it is given.
enum FakePeer {
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let answer: String
        private var isLoggedIn = false

        init(_ answer: String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = isLoggedIn ? answer : "+OK\r\n"
            isLoggedIn = true
            context.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
    }

    /// Lends a connection to such a peer.
    static func with(answer: String, _ body: (RedisConnection) async throws -> Void) async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        defer { listener.close(promise: nil) }
        try await body(.connect(to: RedisURL("redis://127.0.0.1:\(listener.localAddress?.port ?? 0)")))
    }
}
