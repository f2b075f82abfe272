import Glibc
import NIOCore
import NIOPosix

extension RedisError {
    /// The error that NIO gave while connecting, told in one line.
    static func connecting(_ error: any Error, timeout: Duration) -> RedisError {
        RedisError(.connect, line(for: error, timeout: timeout), underlying: error)
    }

    /// The error that NIO gave on an open channel, told in one line.
    static func disconnected(by error: any Error) -> RedisError {
        RedisError(.disconnected, line(for: error, timeout: nil), underlying: error)
    }

    private static func line(for error: any Error, timeout: Duration?) -> String {
        switch error {
        case let error as NIOConnectionError:
            // One address after the other was tried; the first failure is the telling one.
            if let first = error.connectionErrors.first { return line(for: first.error, timeout: timeout) }
            return "the name \(error.host) can't be resolved"
        case let error as IOError:
            return String(cString: strerror(error.errnoCode)).lowercased()
        case ChannelError.connectTimeout:
            return timeout.map { "no connection within \($0)" } ?? "no connection in time"
        default:
            return "\(error)".split(separator: "\n").first.map(String.init) ?? "unknown error"
        }
    }
}
