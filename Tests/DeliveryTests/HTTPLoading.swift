import Glibc
import Rules
import Synchronization
import TestSupport

@testable import Delivery

/// Lends a loader, and shuts it down afterwards.
func withLoader<Result>(
    _ loader: HTTPLoader = HTTPLoader(), isolation: isolated (any Actor)? = #isolation,
    _ body: (HTTPLoader) async throws -> Result
) async throws -> Result {
    do {
        let result = try await body(loader)
        await loader.shutdown()
        return result
    } catch {
        await loader.shutdown()
        throw error
    }
}

extension HTTPLoader {
    /// Loads with limits that no test reaches unless it is about them.
    func load(
        _ url: String, _ headers: [HTTPCall.Header] = [], maxBytes: Int = 1 << 20,
        timeout: Duration = .seconds(30), allowing addresses: Set<String> = []
    ) async -> Loaded {
        await load(
            HTTPCall(url: Array(url.utf8), headers: headers), maxBytes: maxBytes, timeout: timeout,
            allowing: Set(addresses.compactMap { IPAddress($0) }))
    }

    /// Touches with limits that no test reaches unless it is about them.
    func touch(_ url: String, timeout: Duration = .seconds(30)) async -> Loaded {
        await touch(HTTPCall(url: Array(url.utf8)), timeout: timeout)
    }
}

extension HTTPCall.Header {
    init(_ name: String, _ value: String) { self.init(name: name, value: Array(value.utf8)) }
}

extension HTTPPeer {
    /// Its URL, with this path.
    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }
}

extension Loaded {
    static func text(_ text: String) -> Loaded { .value(Array(text.utf8)) }

    /// Why an attempt failed.
    var reason: String? { if case .failed(let reason) = self { reason } else { nil } }
}

/// A complete answer, after which the connection can be used again.
func answer(_ status: String = "200 OK", _ body: String = "") -> HTTPPeer.Step {
    .send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
}

/// Tries with one timeout after the other, each longer, until it comes as expected: how far a load gets in a given
/// time depends on what else the machine does.
func inSomeTime(_ isAsExpected: (Duration) async -> Bool) async throws {
    for timeout in [0.2, 1, 4, 16] where await isAsExpected(.seconds(timeout)) { return }
    throw TestError("it didn't come as expected in 16 seconds")
}

/// Lends the port of a listener that accepts nobody, and whose queue is full.
func withSilentListener(_ body: (Int) async throws -> Void) async throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(listener, pointer, size) == 0 && listen(listener, 0) == 0
                && getsockname(listener, pointer, &size) == 0
        }
    }
    guard isListening else { throw TestError("no listener") }
    try await body(Int(UInt16(bigEndian: address.sin_port)))
}
