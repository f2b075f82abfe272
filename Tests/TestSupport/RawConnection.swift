import Glibc

/// A TCP connection to a port of this machine, by which a test sends whatever bytes it likes, as slowly as it likes.
public final class RawConnection {
    private let descriptor: Int32
    private var outgoing: [UInt8] = []
    /// All that has come so far.
    public private(set) var received = ""
    /// Whether the other end has closed the connection.
    public private(set) var isClosed = false

    /// Connects. With a small receive buffer the other end notices soon that nobody reads.
    public init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw TestError("no socket: \(String(cString: strerror(errno)))") }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        // Nothing here may hold up a thread that the server under test could need.
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // With all connections in use it takes until one of them goes.
        guard result == 0 || errno == EINPROGRESS else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw TestError("connecting to port \(port): \(reason)")
        }
    }

    deinit { close(descriptor) }

    /// Sends text, as far as that is possible now, and the rest while something is waited for.
    public func send(_ text: String) {
        outgoing += text.utf8
        flush()
    }

    /// Sends on; a peer that is gone counts as one that takes everything.
    public func flush() {
        while !outgoing.isEmpty {
            let count = outgoing.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EAGAIN { return }
            outgoing.removeFirst(count < 0 ? outgoing.count : count)
        }
    }

    /// Takes what has come.
    private func receive() {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        flush()
        while !isClosed {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else {
                isClosed = true
                return
            }
            received += String(decoding: bytes.prefix(count), as: UTF8.self)
        }
    }

    /// Waits until the condition holds of all that has come.
    public func wait(
        _ what: String, within deadline: Duration = .seconds(20), isolation: isolated (any Actor)? = #isolation,
        until condition: (RawConnection) -> Bool
    ) async throws {
        do {
            try await eventually(within: deadline, what) {
                receive()
                return condition(self)
            }
        } catch {
            throw TestError("\(error); it had come: \(received.prefix(2_000)), closed: \(isClosed)")
        }
    }

    /// Waits until the other end closes the connection, and gives all that came.
    @discardableResult
    public func end(
        within deadline: Duration = .seconds(20), isolation: isolated (any Actor)? = #isolation
    ) async throws -> String {
        try await wait("the connection's end", within: deadline) { $0.isClosed }
        return received
    }
}

/// An HTTP answer.
public struct RawAnswer: Sendable {
    /// The status.
    public let status: Int
    /// The headers, their names in lower case.
    public let headers: [String: String]
    /// The body.
    public let body: String

    /// Asks once, on a connection of its own.
    public static func get(
        _ path: String, port: Int, method: String = "GET", host: String? = "localhost", headers: [String: String] = [:],
        body: String = "", isolation: isolated (any Actor)? = #isolation
    ) async throws -> RawAnswer {
        let connection = try RawConnection(port: port)
        var head = "\(method) \(path) HTTP/1.1\r\nConnection: close\r\n"
        if let host { head += "Host: \(host)\r\n" }
        if !body.isEmpty { head += "Content-Length: \(body.utf8.count)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        connection.send(head + "\r\n" + body)
        return try RawAnswer(try await connection.end())
    }

    /// An answer from its bytes.
    public init(_ text: String) throws {
        guard let end = text.range(of: "\r\n\r\n") else { throw TestError("no answer: \(text)") }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let pairs = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), String(parts.last ?? "").trimmingPrefix(" "))
        }
        headers = Dictionary(pairs.map { ($0.0, String($0.1)) }) { "\($0), \($1)" }
        body = String(text[end.upperBound...])
    }
}

extension String {
    fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
