import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Rules

/// Why a request came to nothing, in one line for people. Of the request it names the host and nothing else.
struct HTTPFailure: Error {
    let line: String

    init(_ line: String) { self.line = line }

    /// The failure behind an error that the client, NIO or TLS gave. `host` is the one that was asked.
    init(_ error: any Error, host: String) {
        line =
            switch error {
            case let end as ConnectionEnd: Self.line(for: end, host)
            case let error as HTTPClientError: Self.line(for: error, host)
            case let error as NIOConnectionError:
                // One address after the other was tried; the first failure is the telling one.
                error.connectionErrors.first.map { Self($0.error, host: host).line }
                    ?? "connecting to \(host): the name can't be resolved"
            case ChannelError.connectTimeout: "connecting to \(host): no connection in time"
            case let error as IOError: Self.line(for: error.errnoCode, host)
            case HTTPParserError.invalidEOFState, NIOSSLError.uncleanShutdown: Self.earlyEnd
            case is HTTPParserError, is NIOHTTPDecoderError: "\(host) answered with something that isn't HTTP"
            case is NIOSSLExtraError: "connecting to \(host): its certificate is for another name"
            case NIOSSLError.handshakeFailed(let error): Self.line(forHandshake: error, host)
            case is NIOSSLError, is BoringSSLError: "connecting to \(host): TLS failed"
            default: "the request to \(host) failed"
            }
    }

    private static let earlyEnd = "the connection was closed before the end of the answer"

    private static func line(for end: ConnectionEnd, _ host: String) -> String {
        switch end {
        case .forbidden(let address):
            "connecting to \(host): \(address) is a link-local or metadata address, which this rule doesn't list"
        case .unanswered: "\(host) closed the connection without an answer"
        }
    }

    private static func line(for error: HTTPClientError, _ host: String) -> String {
        switch error {
        case .remoteConnectionClosed: line(for: .unanswered(hadAnswered: false), host)
        case .connectTimeout, .tlsHandshakeTimeout: "connecting to \(host): no connection in time"
        case .getConnectionFromPoolTimeout: "all connections to \(host) were in use for too long"
        case .cancelled, .alreadyShutdown: "cancelled"
        default: "the request to \(host) failed: \(error.shortDescription)"
        }
    }

    private static func line(for code: CInt, _ host: String) -> String {
        switch code {
        case ECONNRESET, EPIPE: earlyEnd
        default: "connecting to \(host): \(String(cString: strerror(code)).lowercased())"
        }
    }

    private static func line(forHandshake error: BoringSSLError, _ host: String) -> String {
        let text = "\(error)"
        let reason =
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                "its certificate isn't trusted"
            } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
                "it doesn't speak TLS"
            } else {
                "the TLS handshake failed"
            }
        return "connecting to \(host): \(reason)"
    }
}

extension HTTPURL {
    /// The URL of a call.
    init(of call: HTTPCall) throws(HTTPFailure) {
        do {
            try self.init(call.url)
        } catch {
            throw HTTPFailure(error.message)
        }
    }
}
