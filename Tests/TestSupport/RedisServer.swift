import Glibc
import Redis

/// A throwaway Redis of one test, on a free port and a socket, without persistence unless it is asked for.
public final class RedisServer: Sendable {
    /// Its port on 127.0.0.1.
    public let port: Int
    private let directory: String
    private let arguments: [String]
    private let process: ServerProcess

    /// Lends a running server, and ends it afterwards. `arguments` are redis-server's, for example
    /// `["--requirepass", "secret"]`.
    public static func with<Result>(
        _ arguments: [String] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (RedisServer) async throws -> Result
    ) async throws -> Result {
        let server = try RedisServer(arguments)
        try await server.start()
        do {
            let result = try await body(server)
            try await server.kill9()
            return result
        } catch {
            try await server.kill9()
            throw error
        }
    }

    private init(_ arguments: [String]) throws {
        port = try ServerProcess.freePort()
        directory = try TestEnvironment.directory + "/redis-\(port)"
        mkdir(directory, 0o700)
        process = ServerProcess(pidFile: try TestEnvironment.directory + "/pids/redis-\(port)")
        self.arguments = arguments
    }

    /// Where it is: `redis://127.0.0.1:PORT`. `login` is put before the host, as in `user:password@`.
    public func url(login: String = "", database: Int = 0) throws -> RedisURL {
        try RedisURL("redis://\(login)127.0.0.1:\(port)/\(database)")
    }

    /// Its Unix domain socket.
    public var socket: String { directory + "/socket" }

    /// Starts it, after an end too, on the same port and with what it had saved. Returns when it accepts
    /// connections, which is before it has loaded a large file.
    public func start() async throws {
        try await command(
            "redis-server",
            [
                "--daemonize", "yes", "--bind", "127.0.0.1", "--port", "\(port)", "--unixsocket", socket,
                "--dir", directory, "--pidfile", process.pidFile, "--logfile", directory + "/log", "--save",
                "",
                "--enable-debug-command", "yes",
            ] + arguments)
        try await eventually("start of redis-server on port \(port)") {
            let answer = try await command("redis-cli", ["-p", "\(port)", "ping"])
            return process.pid != nil && !answer.isEmpty
        }
    }

    /// Runs redis-cli with these arguments, and gives what it printed.
    @discardableResult
    public func cli(_ arguments: String...) async throws -> String {
        try await command("redis-cli", ["-p", "\(port)"] + arguments)
    }

    /// Ends it as a crash does.
    public func kill9() async throws { try await process.kill9() }

    /// Stops it without closing its connections (SIGSTOP): it looks half-open.
    public func pause() throws { try process.signal(SIGSTOP) }

    /// Lets it go on after ``pause()``.
    public func resume() throws { try process.signal(SIGCONT) }
}
