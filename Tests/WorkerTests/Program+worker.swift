import FoundationEssentials
import Glibc
import TestSupport

/// A process that runs `unstale run`.
extension Program {
    /// Waits until it leads and serves, in its `session`th session.
    func waitUntilServing(session: Int = 1, within deadline: Duration = .seconds(20)) async throws {
        try await wait(for: "] Serving", count: session, within: deadline)
    }

    /// Ends it as a crash does.
    func kill9() async throws {
        signal(SIGKILL)
        try await end()
    }

    /// Asks it to stop (SIGTERM); returns its exit code.
    @discardableResult
    func terminate(within deadline: Duration = .seconds(30)) async throws -> Int32 {
        signal(SIGTERM)
        return try await end(within: deadline)
    }

    /// Its anonymous memory in kB: what it allocated, and not the pages of its executable.
    var anonymousMemory: Int {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
            guard let number = line?.split(whereSeparator: { !$0.isNumber }).first,
                let kilobytes = Int(number)
            else { throw TestError("no RssAnon of process \(pid)") }
            return kilobytes
        }
    }
}
