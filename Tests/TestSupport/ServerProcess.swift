import FoundationEssentials
import Glibc
import Synchronization

/// A server that detached itself from us, known by its pid file in `$UNSTALE_TEST_DIR/pids`, by which
/// `Tests/with-servers` ends it if the test doesn't.
struct ServerProcess: Sendable {
    let pidFile: String

    /// The process' id; nil when there is no pid file yet, or no more.
    var pid: pid_t? {
        guard let text = try? String(contentsOfFile: pidFile, encoding: .utf8) else { return nil }
        return text.split(separator: "\n").first.flatMap { pid_t($0) }
    }

    /// Sends a signal to the process and those it started.
    func signal(_ number: Int32) throws {
        guard let pid else { throw TestError("no process behind \(pidFile)") }
        for pid in [pid] + Self.children(of: pid) { kill(pid, number) }
    }

    /// Ends the process by force, and waits until it is gone.
    func kill9() async throws {
        guard let pid else { return }
        try signal(SIGKILL)
        try await eventually("end of process \(pid)") { !Self.isAlive(pid) }
        unlink(pidFile)
    }

    /// A zombie counts as gone, for whoever inherited it may never ask; but while it still has other threads, they
    /// keep its sockets open.
    static func isAlive(_ pid: pid_t) -> Bool {
        let threads = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
            return false
        }
        return status.split(separator: ")").last?.hasPrefix(" Z") == false || (threads ?? []).count > 1
    }

    private static func children(of pid: pid_t) -> [pid_t] {
        let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        return (text ?? "").split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
    }

    /// Ports that were given away in this run.
    private static let given = Mutex(Set<Int>())

    /// A port of 127.0.0.1 that nobody listens on, below the kernel's ephemeral range: no client's own end of a
    /// connection can sit on it while its server is down. Another one each time, as servers' folders have its number.
    static func freePort() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: 10_000..<32_000)
            if try isFree(UInt16(port)), given.withLock({ $0.insert(port).inserted }) { return port }
        }
        throw TestError("no free port")
    }

    private static func isFree(_ port: UInt16) throws -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw TestError("no socket: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
