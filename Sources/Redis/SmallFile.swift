import Glibc

/// Files of secrets and certificates, which people mend while we run.
enum SmallFile {
    /// More is nothing that was meant: the bundle of all public CAs has a fifth of it.
    private static let limit = 1 << 20

    /// The bytes of a file; `what` is what it is in an error. Throws `refused` with one line when it can't be read.
    static func bytes(of path: String, called what: String) throws(RedisError) -> [UInt8] {
        // A pipe that nobody writes to is not waited for.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(what) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while bytes.count < limit {
            let count = read(descriptor, &chunk, chunk.count)
            guard count != 0 else { return bytes }
            if count > 0 {
                bytes += chunk.prefix(count)
            } else if errno != EINTR {
                throw unreadable(what)
            }
        }
        throw RedisError(.refused, "\(what) is too large")
    }

    private static func unreadable(_ what: String) -> RedisError {
        RedisError(.refused, "\(what) can't be read: \(String(cString: strerror(errno)).lowercased())")
    }
}
