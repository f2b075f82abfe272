import AsyncHTTPClient
import NIOCore

extension HTTPClientResponse {
    /// The body of a 200, which is read no further than `maxBytes`.
    func loaded(maxBytes: Int) async throws -> Loaded {
        guard status == .ok else { return await refusal() }
        let length = headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard length <= maxBytes else { return .tooLarge }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        for try await part in body {
            guard bytes.count + part.readableBytes <= maxBytes else { return .tooLarge }
            part.withUnsafeReadableBytes { bytes.append(contentsOf: $0) }
        }
        return .value(bytes)
    }

    /// Whether the application did what it was asked to. It's left the time to send everything, for it may store
    /// what it has sent.
    func touched() async throws -> Loaded {
        guard (200..<300).contains(status.code) else { return await refusal() }
        try await skip(atMost: 16 << 20)
        return .absent
    }

    private func refusal() async -> Loaded {
        // What is in the body, and whether it comes, changes nothing.
        try? await skip(atMost: 64 << 10)
        switch status.code {
        case 404, 410: return .absent
        case 300..<400: return .failed("answered \(status.code): redirects aren't followed")
        default: return .failed("answered \(status.code)")
        }
    }

    /// Reads to the end, so that the connection can be used again. One with more to come is given up.
    private func skip(atMost limit: Int) async throws {
        var rest = limit
        for try await part in body {
            rest -= part.readableBytes
            if rest < 0 { return }
        }
    }
}
