import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import Rules
import Synchronization

/// Fetches entries through the application: GET requests, each with a deadline, that go nowhere but where their rule
/// lets them.
///
/// Connections are kept for the next request. Redirects aren't followed, and neither proxies nor cookies nor
/// compression come in. ``shutdown()`` has to be called before the loader is dropped.
final class HTTPLoader: Sendable {
    private struct State {
        /// A client for each set of addresses that rules list: a connection that one rule may have is none that
        /// another may find.
        var clients: [Set<IPAddress>: HTTPClient] = [:]
        var hasEnded = false
    }

    private enum Outcome {
        case loaded(Loaded)
        case interrupted(waitingFor: String)
    }

    private let connections: Int
    private let tls: TLSConfiguration
    private let isForbidden: @Sendable (IPAddress) -> Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - connections: To one host at most. Where more loads than that run at once they wait for one another, and
    ///     that counts as theirs.
    ///   - tls: Whom to trust.
    ///   - isForbidden: Whether only rules that list an address may ask it.
    init(
        connections: Int = 64, tls: TLSConfiguration = .makeClientConfiguration(),
        isForbidden: @escaping @Sendable (IPAddress) -> Bool = { $0.isForbidden }
    ) {
        self.connections = connections
        self.tls = tls
        self.isForbidden = isForbidden
    }

    /// The body of the answer, if it is complete within `timeout`, which spans everything from the first packet on.
    /// `addresses` are those that the rule lists.
    func load(
        _ call: HTTPCall, maxBytes: Int, timeout: Duration, allowing addresses: Set<IPAddress> = []
    ) async -> Loaded {
        await answer(to: call, within: timeout, addresses) { try await $0.loaded(maxBytes: maxBytes) }
    }

    /// Lets the application store the entry itself: `absent` when it has answered 2xx, 404 or 410.
    func touch(_ call: HTTPCall, timeout: Duration, allowing addresses: Set<IPAddress> = []) async -> Loaded {
        await answer(to: call, within: timeout, addresses) { try await $0.touched() }
    }

    /// Ends the loads that are under way, and returns when all connections are closed; one that is being made is
    /// waited for, which takes a few seconds if nobody answers.
    func shutdown() async {
        let clients = state.withLock { state in
            defer { state.clients = [:] }
            state.hasEnded = true
            return state.clients.values
        }
        // It fails only for a client that has been shut down.
        for client in clients { try? await client.shutdown() }
    }

    private func answer(
        to call: HTTPCall, within timeout: Duration, _ addresses: Set<IPAddress>,
        read: @escaping @Sendable (HTTPClientResponse) async throws -> Loaded
    ) async -> Loaded {
        do throws(HTTPFailure) {
            let url = try HTTPURL(of: call)
            let request = try HTTPClientRequest(call, to: url)
            guard !Task.isCancelled, let client = client(allowing: addresses) else { return .failed("cancelled") }
            return await within(timeout) {
                await self.fetch(request, from: url.authority, by: client, read)
            }
        } catch {
            return .failed(error.line)
        }
    }

    private func within(_ timeout: Duration, _ fetch: @escaping @Sendable () async -> Outcome) async -> Loaded {
        await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await fetch() }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            while let ended = await group.next() {
                switch ended {
                case .loaded(let loaded): return loaded
                case .interrupted(let awaited):
                    return .failed(Task.isCancelled ? "cancelled" : "no \(awaited) within \(timeout)")
                case nil: group.cancelAll()
                }
            }
            return .failed("cancelled")
        }
    }

    private func fetch(
        _ request: HTTPClientRequest, from host: String, by client: HTTPClient,
        _ read: @Sendable (HTTPClientResponse) async throws -> Loaded
    ) async -> Outcome {
        var awaited = "answer"
        do {
            let response = try await execute(request, by: client)
            awaited = "end of the answer"
            let loaded = try await read(response)
            return .loaded(loaded)
        } catch {
            guard !Task.isCancelled else { return .interrupted(waitingFor: awaited) }
            return .loaded(.failed(HTTPFailure(error, host: host).line))
        }
    }

    /// The head of the answer. A request that met the end of an idle connection goes out once more, and as often as
    /// there may be such connections.
    private func execute(
        _ request: HTTPClientRequest, by client: HTTPClient
    ) async throws -> HTTPClientResponse {
        for _ in 0..<connections {
            do {
                return try await client.execute(request, deadline: .distantFuture)
            } catch  where Self.isEndOfIdleConnection(error) {}
        }
        return try await client.execute(request, deadline: .distantFuture)
    }

    private static func isEndOfIdleConnection(_ error: any Error) -> Bool {
        switch error {
        case ConnectionEnd.unanswered(let hadAnswered): hadAnswered
        // Nothing was sent: what ends under a request comes as `unanswered`.
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case ChannelError.ioOnClosedChannel: true
        default: false
        }
    }

    /// The client whose connections go to these addresses too; nil after the end.
    private func client(allowing allowed: Set<IPAddress>) -> HTTPClient? {
        state.withLock { state in
            guard !state.hasEnded else { return nil }
            if let client = state.clients[allowed] { return client }
            let client = HTTPClient(
                eventLoopGroup: .singletonMultiThreadedEventLoopGroup, configuration: configuration(allowing: allowed))
            state.clients[allowed] = client
            return client
        }
    }

    private func configuration(allowing allowed: Set<IPAddress>) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: Self.connectTimeout), decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        // A failure is told at once: the caller has a backoff of its own. With one here too the client would trap when
        // a connection that it was told not to use is closed.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.http1_1ConnectionDebugInitializer = { [isForbidden] channel in
            Self.admit(channel) { isForbidden($0) && !allowed.contains($0) }
        }
        return configuration
    }

    /// Long enough for a lost packet or two, and short enough that a host which comes back is found again.
    private static let connectTimeout = TimeAmount.seconds(5)

    /// Looks at a connection before anything is asked on it: where it leads is known only now, whatever the name was
    /// resolved to.
    private static func admit(
        _ channel: any Channel, refusing isRefused: (IPAddress) -> Bool
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            do {
                guard let text = channel.remoteAddress?.ipAddress, let address = IPAddress(text) else {
                    throw ConnectionEnd.unanswered(hadAnswered: false)
                }
                guard !isRefused(address) else { throw ConnectionEnd.forbidden(address: text) }
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(
                    ConnectionWatch(), position: .before(pipeline.handler(type: HTTPRequestEncoder.self)))
            } catch {
                // The client doesn't close what it isn't to use, and must have heard of the failure before.
                channel.eventLoop.execute { channel.close(promise: nil) }
                throw error
            }
        }
    }
}
