import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A TCP server that a test tells, byte for byte, what to do about each request, however wrong that is.
public final class HTTPPeer: Sendable {
    /// What is done about a request, one step after the other. After the last one the connection stays open.
    public enum Step: Sendable {
        /// These bytes are sent.
        case send(String)
        /// This is sent over and over, a thousand times a second.
        case flood(String)
        /// Nothing is done before ``HTTPPeer/release()``.
        case hold
        /// The connection is closed.
        case close
        /// The socket is closed, and TLS not asked before.
        case cut
        /// The connection is reset.
        case reset
    }

    /// A request without a body.
    public struct Request: Sendable {
        /// Its bytes, the empty line included.
        public let text: String
        /// The connection's number, from 0.
        public let connection: Int
        /// How many requests came before it on the connection.
        public let predecessors: Int
    }

    struct State {
        var requests: [Request] = []
        var connections: [Int: any Channel] = [:]
        var accepted = 0
        var received = 0
        var held: [@Sendable () -> Void] = []
    }

    let state = Mutex(State())
    let respond: @Sendable (Request) -> [Step]
    let greeting: String
    private let tls: NIOSSLContext?
    private let listener = Mutex<(any Channel)?>(nil)

    /// Lends a peer, on a free port if none is given. A greeting is sent before anything was asked.
    public static func with<Result>(
        host: String = "127.0.0.1", port: Int = 0, certificate: TestCertificate? = nil, greeting: String = "",
        isolation: isolated (any Actor)? = #isolation,
        respond: @escaping @Sendable (Request) -> [Step], _ body: (HTTPPeer) async throws -> Result
    ) async throws -> Result {
        let peer = HTTPPeer(tls: try certificate?.serverContext(), greeting: greeting, respond: respond)
        try await peer.listen(on: host, port)
        defer {
            peer.listener.withLock { $0 }?.close(promise: nil)
            peer.cut()
        }
        return try await body(peer)
    }

    private init(
        tls: NIOSSLContext?, greeting: String, respond: @escaping @Sendable (Request) -> [Step]
    ) {
        self.tls = tls
        self.greeting = greeting
        self.respond = respond
    }

    private func listen(on host: String, _ port: Int) async throws {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls = self.tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.addHandler(HTTPPeerConnection(of: self, number: self.register(channel)))
                }
            }
            .bind(host: host, port: port).get()
        listener.withLock { $0 = channel }
    }

    private func register(_ channel: any Channel) -> Int {
        let number = state.withLock { state in
            defer { state.accepted += 1 }
            state.connections[state.accepted] = channel
            return state.accepted
        }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.connections[number] = nil } }
        return number
    }

    /// A port of 127.0.0.1 at which nobody listens.
    public static func unusedPort() throws -> Int { try ServerProcess.freePort() }

    /// The port it listens on.
    public var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }

    /// The requests that came, in their order.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// How many connections were made to it.
    public var accepted: Int { state.withLock { $0.accepted } }

    /// How many of them are open.
    public var open: Int { state.withLock { $0.connections.count } }

    /// Whether any connection is open on which something was asked.
    public var isAsked: Bool {
        state.withLock { state in state.requests.contains { state.connections[$0.connection] != nil } }
    }

    /// How many bytes came; with TLS, through it.
    public var received: Int { state.withLock { $0.received } }

    /// How many requests are held.
    public var holding: Int { state.withLock { $0.held.count } }

    /// Lets everything go on that is held now.
    public func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for step in held { step() }
    }

    /// Closes all connections.
    public func cut() {
        for channel in state.withLock({ Array($0.connections.values) }) { channel.close(promise: nil) }
    }

    /// Sends this on all connections, unasked.
    public func send(_ text: String) {
        for channel in state.withLock({ Array($0.connections.values) }) {
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }
    }
}
