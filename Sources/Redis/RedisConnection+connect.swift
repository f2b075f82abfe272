import Glibc
import NIOCore
import NIOPosix
import NIOSSL

extension RedisConnection {
    /// Connects and logs in: AUTH, CLIENT SETNAME and SELECT as the URL asks. Of a deployment with Sentinels it
    /// reaches the master. A Cluster has no one server: see ``RedisURL/at(_:)``.
    ///
    /// Throws `connect` when there is no connection within the options' timeout, `refused` when the server turns
    /// us away or a file can't be read, and what ``pipeline(_:deadline:)`` throws; the message is one line without
    /// the password.
    public static func connect(
        to url: RedisURL, options: RedisConnectionOptions = .init()
    ) async throws(RedisError) -> RedisConnection {
        do throws(RedisError) {
            switch url.deployment {
            case .standalone(let address):
                return try await connect(to: url, at: address, options: options)
            case .sentinel(let sentinels, let master):
                return try await connect(toMaster: master, of: url, sentinels, options: options)
            case .cluster: throw RedisError(.invalidURL, "a Cluster is many servers, and this asks for one")
            }
        } catch {
            var error = error
            error.doing = "connecting to \(url)"
            throw error
        }
    }

    /// Connects to the server at the address, which is the URL's, and logs in.
    static func connect(
        to url: RedisURL, at address: RedisURL.Address, options: RedisConnectionOptions
    ) async throws(RedisError) -> RedisConnection {
        do throws(RedisError) {
            let connection = try await open(url, at: address, tls: url.tls, options: options)
            try await connection.logIn(options)
            return connection
        } catch {
            throw await explained(error, url, at: address, options: options)
        }
    }

    /// - Parameter looking: gets the certificate that the server shows, and then the handshake is given up.
    private static func open(
        _ url: RedisURL, at address: RedisURL.Address, tls: RedisTLS?, options: RedisConnectionOptions,
        looking: (@Sendable (NIOSSLCertificate) -> Void)? = nil
    ) async throws(RedisError) -> RedisConnection {
        let context = try tls.map { tls throws(RedisError) in try tls.context() }
        let bootstrap = ClientBootstrap(group: options.executor.eventLoop)
            .connectTimeout(TimeAmount(options.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            Self.handler(of: context, at: address, looking: looking))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        RedisChannelHandler(tls: context != nil, packsStrings: options.packsStrings))
                }
            }
        let channel =
            switch address {
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            case .tcp(let host, let port):
                bootstrap
                    .channelOption(.socketOption(.so_keepalive), value: 1)
                    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .connect(host: host, port: port)
            }
        let arrival = OneShot<RedisConnection, RedisError>(cancellation: .cancelled)
        channel.flatMapThrowing { channel in
            let handler = try channel.pipeline.syncOperations.handler(type: RedisChannelHandler.self)
            return RedisConnection(
                url: url, channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
        }.whenComplete { result in
            // A connection that arrives after cancellation has no owner, and its deinit closes it.
            arrival.resolve(result.mapError { .connecting($0, timeout: options.connectTimeout) })
        }
        return try await arrival.value()
    }

    private static func handler(
        of context: NIOSSLContext, at address: RedisURL.Address, looking: (@Sendable (NIOSSLCertificate) -> Void)?
    ) throws -> NIOSSLClientHandler {
        let name = address.serverName
        guard let looking else { return try NIOSSLClientHandler(context: context, serverHostname: name) }
        let look: NIOSSLCustomVerificationCallback = { chain, verdict in
            chain.first.map(looking)
            verdict.succeed(.failed)
        }
        return try NIOSSLClientHandler(context: context, serverHostname: name, customVerificationCallback: look)
    }

    private func logIn(_ options: RedisConnectionOptions) async throws(RedisError) {
        let name = RedisCommand("CLIENT", "SETNAME", url.clientName ?? options.clientName)
        var commands = [name]
        let password = try url.credentials.currentPassword()
        if let password { commands.insert(url.credentials.authentication(by: password), at: 0) }
        if url.database != 0 { commands.append(RedisCommand("SELECT", "\(url.database)")) }
        let replies = try await pipeline(commands, deadline: options.connectTimeout)
        for (command, reply) in zip(commands, replies) {
            guard case .error(let refusal) = reply else { continue }
            // The name is a courtesy, which an ACL may deny.
            if command.name == "CLIENT", refusal.code == "NOPERM" { continue }
            close()
            throw RedisError(.refused, refusal.text)
        }
        remember(password)
    }

    // MARK: What went wrong

    /// The error with what can be found out about it.
    private static func explained(
        _ error: RedisError, _ url: RedisURL, at address: RedisURL.Address, options: RedisConnectionOptions
    ) async -> RedisError {
        guard case .tcp(let host, _) = address else { return error }
        var error = error
        switch error.underlying.flatMap({ TLSAlert($0) }) {
        case let alert? where alert == .untrusted || alert == .otherName:
            let certificate = await certificate(of: url, at: address, options: options)
            guard let certificate else { break }
            let authority = url.tls?.authorityFile ?? "the system's list"
            error.message =
                certificate.fault(for: host, isOtherName: alert == .otherName, at: time(nil))
                ?? "no CA in \(authority) has signed the server's certificate"
        case nil where error.code == .disconnected: error.message += " before the login: \(guess(for: url.tls))"
        default: break
        }
        return error
    }

    /// Why a server may hang up without a word.
    private static func guess(for tls: RedisTLS?) -> String {
        guard let tls else { return "perhaps the server requires TLS, which is rediss://" }
        return tls.certificateFile == nil
            ? "perhaps the server requires a certificate of ours: see the parameters cert and key"
            : "perhaps the server doesn't accept our certificate"
    }

    /// The certificate that the server shows to anybody, whoever signed it; nil: it shows none. NIO doesn't tell what
    /// was wrong with one that was not accepted.
    private static func certificate(
        of url: RedisURL, at address: RedisURL.Address, options: RedisConnectionOptions
    ) async -> PeerCertificate? {
        let shown = OneShot<PeerCertificate, RedisError>(cancellation: .cancelled)
        // It says nothing of who we are: the handshake ends before that.
        let opening = try? await open(url, at: address, tls: RedisTLS(verifies: false), options: options) {
            shown.resolve(.success(PeerCertificate($0)))
        }
        guard let connection = opening else { return nil }
        defer { connection.close() }
        // Fails with the handshake, which is what it waits for.
        _ = try? await connection.send(RedisCommand("PING"), deadline: options.connectTimeout)
        shown.resolve(.failure(.cancelled))
        return try? await shown.value()
    }
}

extension RedisURL.Address {
    /// What the server is called in the handshake, and in its certificate; nil: it has no name but its address, which
    /// is what its certificate has to have then.
    var serverName: String? {
        guard case .tcp(let host, _) = self, (try? SocketAddress(ipAddress: host, port: 0)) == nil else { return nil }
        return host
    }
}
