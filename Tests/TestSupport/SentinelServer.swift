import FoundationEssentials
import Glibc

/// One redis-sentinel of one test, on a free port.
public final class SentinelServer: Sendable {
    /// Its port on 127.0.0.1.
    public let port: Int
    private let file: String
    private let process: ServerProcess

    /// Lends a running Sentinel that watches over the master at the port, which `quorum` have to agree is down, and
    /// ends it afterwards. `lines` are added to its configuration.
    public static func with<Result>(
        master: Int, quorum: Int = 2, lines: [String] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (SentinelServer) async throws -> Result
    ) async throws -> Result {
        let sentinel = try SentinelServer(master: master, quorum: quorum, lines: lines)
        try await sentinel.start()
        do {
            let result = try await body(sentinel)
            try await sentinel.kill9()
            return result
        } catch {
            try await sentinel.kill9()
            throw error
        }
    }

    private init(master: Int, quorum: Int, lines: [String]) throws {
        port = try ServerProcess.freePort()
        let directory = try TestEnvironment.directory + "/sentinel-\(port)"
        mkdir(directory, 0o700)
        file = directory + "/conf"
        process = ServerProcess(pidFile: try TestEnvironment.directory + "/pids/sentinel-\(port)")
        // The times are short, for a test waits for them, and long enough for a machine with much to do.
        let text =
            [
                "port \(port)", "bind 127.0.0.1", "daemonize yes", "dir \(directory)", "logfile \(directory)/log",
                "pidfile \(process.pidFile)", "sentinel monitor \(SentinelSite.name) 127.0.0.1 \(master) \(quorum)",
                "sentinel down-after-milliseconds \(SentinelSite.name) 1000",
                "sentinel failover-timeout \(SentinelSite.name) 5000",
            ] + lines
        try (text.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
    }

    /// Starts it, after an end too, with what it knew.
    public func start() async throws {
        try await command("redis-server", [file, "--sentinel"])
        try await eventually("start of a Sentinel on port \(port)") {
            // With a password it answers too, that it wants it.
            try await !cli("ping").isEmpty && process.pid != nil
        }
    }

    /// Runs redis-cli with these arguments, and gives what it printed.
    @discardableResult
    public func cli(_ arguments: String...) async throws -> String {
        try await command("redis-cli", ["-p", "\(port)"] + arguments)
    }

    /// Where it says that the master is: the port.
    public func master() async throws -> Int? {
        let answer = try await cli("sentinel", "get-master-addr-by-name", SentinelSite.name)
        return answer.split(separator: "\n").last.flatMap { Int($0) }
    }

    /// Ends it as a crash does.
    public func kill9() async throws { try await process.kill9() }

    /// Stops it without closing its connections (SIGSTOP).
    public func pause() throws { try process.signal(SIGSTOP) }

    /// Lets it go on after ``pause()``.
    public func resume() throws { try process.signal(SIGCONT) }
}
