import NIOCore
import NIOPosix
import Redis
import Synchronization

/// A TCP proxy before a real server, which does to its connections what a bad network, or a server in trouble, does.
public final class FaultProxy: Sendable {
    /// What happens to connections, for as long as it is set.
    public enum Fault: Sendable, Equatable {
        /// Everything passes.
        case none
        /// New connections are closed as soon as they are made.
        case refuse
        /// Requests reach the server; its replies are lost.
        case swallowReplies
        /// Nothing passes, in either direction; it does when the fault is lifted.
        case stall
        /// Everything passes this much later.
        case delay(Duration)
    }

    /// What the proxy relays.
    public enum Content: Sendable {
        /// Bytes, of which it understands nothing.
        case bytes
        /// Redis' protocol: ``FaultProxy/poison(_:with:)`` works.
        case redis
    }

    struct State {
        var fault = Fault.none
        var poison: [[UInt8]: String] = [:]
        var relays: [ObjectIdentifier: (channel: any Channel, release: @Sendable () -> Void)] = [:]
        var accepted = 0
    }

    let state = Mutex(State())
    let content: Content
    private let target: Mutex<Int>
    private let listener = Mutex<(any Channel)?>(nil)

    /// Lends a proxy to the server on this port of 127.0.0.1.
    public static func with<Result>(
        to serverPort: Int, content: Content = .redis, isolation: isolated (any Actor)? = #isolation,
        _ body: (FaultProxy) async throws -> Result
    ) async throws -> Result {
        let proxy = FaultProxy(to: serverPort, content: content)
        try await proxy.listen()
        defer { proxy.shutDown() }
        return try await body(proxy)
    }

    private init(to serverPort: Int, content: Content) {
        target = Mutex(serverPort)
        self.content = content
    }

    private func listen() async throws {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { self.accept($0) }
            .bind(host: "127.0.0.1", port: 0).get()
        listener.withLock { $0 = channel }
    }

    /// The proxy's port on 127.0.0.1.
    public var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }

    /// Where the Redis behind it is for its clients.
    public var url: RedisURL { get throws { try RedisURL("redis://127.0.0.1:\(port)") } }

    /// The port of the server that new connections lead to.
    public var serverPort: Int {
        get { target.withLock { $0 } }
        set { target.withLock { $0 = newValue } }
    }

    /// How many connections were made to it.
    public var accepted: Int { state.withLock { $0.accepted } }

    /// What happens to connections from now on.
    public var fault: Fault {
        get { state.withLock { $0.fault } }
        set {
            let relays = state.withLock { state in
                state.fault = newValue
                return Array(state.relays.values)
            }
            for relay in relays { relay.channel.eventLoop.execute(relay.release) }
        }
    }

    /// Closes all connections that exist.
    public func cut() {
        for relay in state.withLock({ Array($0.relays.values) }) { relay.channel.close(promise: nil) }
    }

    /// Every command that has this word among its arguments is answered with this error from now on and doesn't
    /// reach the server; nil heals it.
    public func poison(_ word: [UInt8], with error: String?) {
        state.withLock { $0.poison[word] = error }
    }

    private func shutDown() {
        listener.withLock { $0 }?.close(promise: nil)
        cut()
    }

    /// The client's channel isn't read from before the future is done, and is closed when that fails.
    private func accept(_ client: any Channel) -> EventLoopFuture<Void> {
        state.withLock { $0.accepted += 1 }
        guard fault != .refuse else { return client.close() }
        let loop = client.eventLoop
        return loop.makeCompletedFuture {
            let relay = FaultRelay(proxy: self)
            try client.pipeline.syncOperations.addHandler(FaultRelay.End(relay, side: .client))
            let bound = NIOLoopBound(relay, eventLoop: loop)
            register(client) { bound.value.release() }
            return bound
        }.flatMap { relay in
            ClientBootstrap(group: loop).channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(FaultRelay.End(relay.value, side: .server))
                }
            }.connect(host: "127.0.0.1", port: self.serverPort).map { _ in }
        }
    }

    private func register(_ client: any Channel, release: @escaping @Sendable () -> Void) {
        let id = ObjectIdentifier(client)
        state.withLock { $0.relays[id] = (client, release) }
        client.closeFuture.whenComplete { _ in self.state.withLock { _ = $0.relays.removeValue(forKey: id) } }
    }
}
