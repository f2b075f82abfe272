import Glibc
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOHTTPTypes
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// The admin port. Whatever happens to it, the worker goes on.
public final class AdminServer: Service, CustomStringConvertible {
    private typealias Connection = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    private struct Listener: Sendable {
        var http: HTTP1Channel
        var channel: NIOAsyncChannel<Connection, Never>
    }

    private struct Connections {
        var open: [ObjectIdentifier: any Channel] = [:]
        /// No more of them are let in.
        var isEnding = false
    }

    private let settings: AdminSettings
    private let source: AdminSource
    private let logger: Logger
    private let history = HistorySampler()
    /// Neither Redis' event loops nor the worker's threads have anything to do with it.
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let executor = AdminExecutor()
    private let listener = Mutex<Listener?>(nil)
    private let connections = Mutex(Connections())

    /// A port that is not open yet.
    public init(_ settings: AdminSettings, source: AdminSource, logger: Logger) {
        self.settings = settings
        self.source = source
        self.logger = logger
    }

    /// What logs call it.
    public var description: String { "admin" }

    /// The port it listens at; nil: at none.
    public var port: Int? { listener.withLock { $0?.channel.channel.localAddress?.port } }

    // MARK: Opening

    /// Opens the port. What is wrong with it is told here, before anything else is begun.
    public func open() async throws(AdminError) {
        do {
            let address = try SocketAddress.makeAddressResolvingHost(settings.address.host, port: settings.address.port)
            let opened = try await bind(address)
            listener.withLock { $0 = opened }
            let bound = AdminAddress(host: settings.address.host, port: port ?? settings.address.port)
            logger.notice("The admin port is open", metadata: ["address": "\(bound)"])
            if settings.token == nil, !address.isLoopback {
                logger.warning("The admin port can be reached from other machines, and answers none without a token")
            }
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw AdminError(code: .taken, description: "\(settings.address) is taken: another process listens there")
        } catch let error as IOError {
            let reason = String(cString: strerror(error.errnoCode)).lowercased()
            throw AdminError(code: .badSettings, description: "can't listen at \(settings.address): \(reason)")
        } catch {
            throw AdminError(code: .badSettings, description: "can't listen at \(settings.address): no such host")
        }
    }

    private func bind(_ address: SocketAddress) async throws -> Listener {
        let limit = settings.connectionLimit
        let http = makeHTTP(isLoopback: address.isLoopback)
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 64)
            // One at a time, or the limit of connections would be a rough one.
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AvailableConnectionsChannelHandler(maxConnections: limit))
                }
            }
            // The kernel would buffer megabytes for somebody who doesn't read.
            .childChannelOption(.socketOption(.so_sndbuf), value: 256 << 10)
            .bind(to: address) { self.configure($0, http) }
        return Listener(http: http, channel: listener)
    }

    private func configure(_ channel: any Channel, _ http: HTTP1Channel) -> EventLoopFuture<Connection> {
        let limits = settings.limits
        return http.setup(channel: channel, logger: logger).flatMapThrowing { connection in
            let guardian = ConnectionGuard(limits: limits)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(ConnectionGuard.Bytes(guardian), position: .first)
            let state = try pipeline.handler(type: HTTPConnectionStateHandler.self)
            try pipeline.addHandler(ConnectionGuard.Parts(guardian), position: .before(state))
            self.register(channel)
            return connection
        }
    }

    private func makeHTTP(isLoopback: Bool) -> HTTP1Channel {
        let responder = AdminRouter(
            source: source, history: history, settings: settings, isLoopback: isLoopback, logger: logger
        ).responder
        let logger = logger
        return HTTP1Channel(
            responder: { request, writer, channel in
                let context = AdminContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
                let response = try await responder.respond(to: request, context: context)
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: HTTP1Channel.Configuration(
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 100)))
    }

    // MARK: Serving

    /// Answers until a graceful shutdown, which waits for nobody: followers end, and answers that are being written
    /// have two seconds.
    public func run() async throws {
        await withTaskExecutorPreference(executor) {
            await withTaskGroup { group in
                group.addTask { await self.history.run(self.source.worker.status) }
                group.addTask {
                    await withGracefulShutdownHandler {
                        await self.serve()
                    } onGracefulShutdown: {
                        self.end()
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
        // It fails only where it was shut down already.
        try? await group.shutdownGracefully()
    }

    /// A listener that fails, as for want of file descriptors, is opened anew.
    private func serve() async {
        while !isEnding {
            if let listener = listener.withLock({ $0 }) { await accept(listener) }
            guard !isEnding else { return }
            listener.withLock { $0 = nil }
            do {
                // Nobody tells when there are descriptors again, and trying without a rest would keep a core busy.
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
                try await open()
            } catch let error as AdminError {
                logger.error("The admin port is closed", metadata: ["reason": "\(error)"])
            } catch {
                return
            }
        }
    }

    private func accept(_ listener: Listener) async {
        do {
            try await listener.channel.executeThenClose { inbound in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in inbound {
                        group.addTask { await listener.http.handle(value: connection, logger: self.logger) }
                    }
                }
            }
        } catch {
            logger.error("The admin port can't accept connections", metadata: ["reason": "\(error)"])
        }
    }

    private var isEnding: Bool { connections.withLock { $0.isEnding } || Task.isCancelled }

    private func register(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isLate = connections.withLock { connections in
            connections.open[id] = channel
            return connections.isEnding
        }
        channel.closeFuture.whenComplete { _ in self.connections.withLock { $0.open[id] = nil } }
        if isLate { channel.close(promise: nil) }
    }

    private func end() {
        let open = connections.withLock { connections in
            connections.isEnding = true
            return Array(connections.open.values)
        }
        listener.withLock { $0 }?.channel.channel.close(promise: nil)
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(ConnectionMustEnd()) }
    }
}

extension SocketAddress {
    /// Whether it can be reached from this machine alone.
    var isLoopback: Bool {
        switch self {
        case .v4(let address): address.address.sin_addr.s_addr & 0xff == 127
        case .v6: ipAddress == "::1"
        case .unixDomainSocket: true
        }
    }
}
