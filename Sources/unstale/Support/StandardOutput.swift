import Glibc

/// Where results go, a line at a time and at once.
enum StandardOutput {
    /// Somebody closed it, as `head` does when it has seen enough.
    struct IsClosed: Error {}

    /// Whether colours mean anything there (no-color.org).
    static func hasColours(_ environment: [String: String]) -> Bool {
        isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    }

    static func write(_ line: String) throws(IsClosed) {
        let bytes = Array((line + "\n").utf8)
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress?.advanced(by: start), $0.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw IsClosed() }
            start += count
        }
    }

    /// Returns when nobody reads it any more, or throws when the task is cancelled.
    static func waitUntilClosed() async throws {
        while true {
            var descriptor = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            if poll(&descriptor, 1, 0) == 1, descriptor.revents & Int16(POLLERR | POLLNVAL) != 0 { return }
            // A thread that waited in poll() could not be cancelled.
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
