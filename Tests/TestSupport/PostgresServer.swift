import FoundationEssentials
import Glibc

/// A throwaway Postgres of one test, on a free port, with trust authentication.
public final class PostgresServer: Sendable {
    /// How it is ended.
    public enum Shutdown: String, Sendable {
        /// Open transactions are rolled back, and a checkpoint is written.
        case fast
        /// As in a crash: at the next start it recovers.
        case immediate
    }

    /// Its port on 127.0.0.1.
    public let port: Int
    private let directory: String
    private let settings: [String]
    private let process: ServerProcess

    /// Lends a running server, and ends it afterwards. `settings` are postgresql.conf's, for example
    /// `["max_connections=20"]`.
    public static func with<Result>(
        settings: [String] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresServer) async throws -> Result
    ) async throws -> Result {
        let server = try await PostgresServer(settings)
        try await server.start()
        do {
            let result = try await body(server)
            try await server.stop(.immediate)
            return result
        } catch {
            try await server.stop(.immediate)
            throw error
        }
    }

    private init(_ settings: [String]) async throws {
        port = try ServerProcess.freePort()
        directory = try TestEnvironment.directory + "/postgres-\(port)"
        mkdir(directory, 0o700)
        if geteuid() == 0, let user = getpwnam("postgres") {
            chown(directory, user.pointee.pw_uid, user.pointee.pw_gid)
        }
        process = ServerProcess(pidFile: try TestEnvironment.directory + "/pids/postgres-\(port)")
        symlink(directory + "/postmaster.pid", process.pidFile)
        self.settings =
            settings + [
                "port=\(port)", "listen_addresses=127.0.0.1", "unix_socket_directories=\(directory)",
                "max_prepared_transactions=20",
            ]
        try await run(
            "initdb",
            ["-U", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"])
    }

    /// Where it is, as a superuser.
    public func url(database: String = "postgres") -> String {
        "postgres://postgres@127.0.0.1:\(port)/\(database)"
    }

    /// Starts it, after an end too, and returns when it accepts connections.
    public func start() async throws {
        let options = settings.map { "-c '\($0)'" }.joined(separator: " ")
        // After kill -9 the last of its processes may hold the shared memory for a moment.
        try await eventually(within: .seconds(30), "start of postgres on port \(port)") {
            try await run("pg_ctl", ["start", "-w", "-s", "-l", directory + "/server.log", "-o", options])
            return true
        }
    }

    /// Ends it, and returns when it has ended; nothing happens when it isn't running.
    public func stop(_ shutdown: Shutdown = .fast) async throws {
        guard process.pid != nil else { return }
        try? resume()
        try await run("pg_ctl", ["stop", "-w", "-s", "-m", shutdown.rawValue])
    }

    /// Ends and starts it.
    public func restart(_ shutdown: Shutdown = .fast) async throws {
        try await stop(shutdown)
        try await start()
    }

    /// Ends it and all its backends by force.
    public func kill9() async throws {
        guard let pid = process.pid else { return }
        try process.signal(SIGKILL)
        try await eventually("end of postgres \(pid)") { !ServerProcess.isAlive(pid) }
        // Left behind it would pass for a running server's as soon as its pid is somebody else's.
        unlink(directory + "/postmaster.pid")
    }

    /// Stops it and its backends without closing connections (SIGSTOP): it looks half-open.
    public func pause() throws { try process.signal(SIGSTOP) }

    /// Lets it go on after ``pause()``.
    public func resume() throws { try process.signal(SIGCONT) }

    /// Runs one of the server's own programs on the data directory, as a user that Postgres doesn't refuse.
    private func run(_ program: String, _ arguments: [String]) async throws {
        let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")
        guard let newest = versions.max(by: { (Int($0) ?? 0) < (Int($1) ?? 0) }) else {
            throw TestError("no Postgres")
        }
        let user =
            geteuid() == 0 ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] : []
        let words = ["/usr/lib/postgresql/\(newest)/bin/\(program)", "-D", directory]
        try await command("env", ["-C", "/"] + user + words + arguments)
    }
}
