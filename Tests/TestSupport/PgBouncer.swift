import FoundationEssentials
import Glibc

/// A PgBouncer in transaction mode before the shared Postgres, for one test, on a free port.
public final class PgBouncer: Sendable {
    private let port: Int
    private let process: ServerProcess

    /// Lends a running one, and ends it afterwards.
    public static func with<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (PgBouncer) async throws -> Result
    ) async throws -> Result {
        let pooler = try await PgBouncer()
        do {
            let result = try await body(pooler)
            try await pooler.process.kill9()
            return result
        } catch {
            try await pooler.process.kill9()
            throw error
        }
    }

    private init() async throws {
        port = try ServerProcess.freePort()
        let directory = try TestEnvironment.directory + "/pgbouncer-\(port)"
        mkdir(directory, 0o700)
        var user: [String] = []
        // It refuses to run as root.
        if geteuid() == 0, let postgres = getpwnam("postgres") {
            chown(directory, postgres.pointee.pw_uid, postgres.pointee.pw_gid)
            user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]
        }
        process = ServerProcess(pidFile: try TestEnvironment.directory + "/pids/pgbouncer-\(port)")
        symlink(directory + "/pid", process.pidFile)
        let text = """
            [databases]
            * = host=127.0.0.1 port=\(try TestEnvironment.databasePort)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = trust
            auth_file = \(directory)/users
            pool_mode = transaction
            server_round_robin = 1
            logfile = \(directory)/log
            pidfile = \(directory)/pid

            """
        try "\"postgres\" \"\"\n".write(toFile: directory + "/users", atomically: true, encoding: .utf8)
        try text.write(toFile: directory + "/conf", atomically: true, encoding: .utf8)
        for file in ["conf", "users"] { chmod("\(directory)/\(file)", 0o644) }
        try await command("env", ["-C", "/"] + user + ["pgbouncer", "-d", "-q", directory + "/conf"])
        try await eventually("start of PgBouncer on port \(port)") { process.pid != nil }
    }

    /// The way through it to a database of the shared server, as a superuser.
    public func url(database: String) -> String { "postgres://postgres@127.0.0.1:\(port)/\(database)" }
}
