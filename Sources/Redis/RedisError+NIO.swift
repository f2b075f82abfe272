import Glibc
import NIOCore
import NIOPosix
import NIOSSL

extension RedisError {
    /// The error that NIO gave while connecting, told in one line.
    static func connecting(_ error: any Error, timeout: Duration) -> RedisError {
        (error as? RedisError) ?? RedisError(.connect, line(for: error, timeout: timeout), underlying: error)
    }

    /// The error that NIO gave on an open channel, told in one line.
    static func disconnected(by error: any Error) -> RedisError {
        let code = TLSAlert(error) == nil ? Code.disconnected : .connect
        return RedisError(code, line(for: error, timeout: nil), underlying: error)
    }

    static func noAnswer(within deadline: Duration) -> RedisError {
        RedisError(.timeout, "no answer within \(deadline)")
    }

    /// A server without TLS takes a client's greeting for the beginning of a command, and waits for the rest.
    static func noHandshake(within deadline: Duration) -> RedisError {
        RedisError(.timeout, "no TLS handshake within \(deadline): perhaps there is no TLS on this port")
    }

    static var closed: RedisError { RedisError(.disconnected, "the connection was closed") }

    static var closedInHandshake: RedisError {
        RedisError(.disconnected, "the connection was closed in the TLS handshake")
    }

    private static func line(for error: any Error, timeout: Duration?) -> String {
        if let alert = TLSAlert(error) { return alert.line }
        switch error {
        case let error as NIOConnectionError:
            // One address after the other was tried; the first failure is the telling one.
            if let first = error.connectionErrors.first { return line(for: first.error, timeout: timeout) }
            return "the name \(error.host) can't be resolved"
        case let error as IOError:
            return String(cString: strerror(error.errnoCode)).lowercased()
        case ChannelError.connectTimeout:
            return timeout.map { "no connection within \($0)" } ?? "no connection in time"
        case NIOSSLError.uncleanShutdown:
            return closed.message
        default:
            return "\(error)".split(separator: "\n").first.map(String.init) ?? "unknown error"
        }
    }
}
