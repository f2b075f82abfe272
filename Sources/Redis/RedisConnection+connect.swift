import NIOCore
import NIOPosix

extension RedisConnection {
    /// Connects and logs in: AUTH, CLIENT SETNAME and SELECT as the URL asks.
    ///
    /// The URL has to be one server's: see ``RedisURL/at(_:)``.
    ///
    /// Throws `connect` when there is no connection within the options' timeout, `refused` when the server turns
    /// us away, and what ``pipeline(_:deadline:)`` throws; the message is one line without the password.
    public static func connect(
        to url: RedisURL, on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        options: RedisConnectionOptions = .init()
    ) async throws(RedisError) -> RedisConnection {
        do {
            let connection = try await open(url, on: group, options)
            try await connection.logIn(options)
            return connection
        } catch {
            var error = error
            error.doing = "connecting to \(url)"
            throw error
        }
    }

    private static func open(
        _ url: RedisURL, on group: any EventLoopGroup, _ options: RedisConnectionOptions
    ) async throws(RedisError) -> RedisConnection {
        guard case .standalone(let address) = url.deployment else {
            throw RedisError(.invalidURL, "it names several servers, and not which of them")
        }
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(options.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        RedisChannelHandler(packsStrings: options.packsStrings))
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

    private func logIn(_ options: RedisConnectionOptions) async throws(RedisError) {
        let name = RedisCommand("CLIENT", "SETNAME", options.clientName)
        var commands = [name]
        if let password = url.password {
            commands.insert(RedisCommand("AUTH", url.user ?? "default", password), at: 0)
        }
        if url.database != 0 { commands.append(RedisCommand("SELECT", "\(url.database)")) }
        let replies = try await pipeline(commands, deadline: options.connectTimeout)
        for (command, reply) in zip(commands, replies) {
            guard case .error(let refusal) = reply else { continue }
            // The name is a courtesy, which an ACL may deny.
            if command.name == "CLIENT", refusal.code == "NOPERM" { continue }
            close()
            throw RedisError(.refused, refusal.text)
        }
    }
}
