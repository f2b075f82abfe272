import Rules
import TestSupport
import Testing

@testable import Delivery

/// How a loader goes about its connections.
@Suite struct HTTPConnectionTests {
    @Test func oneConnectionForManyRequests() async throws {
        try await HTTPPeer.with { _ in
            [answer("200 OK", "x")]
        } _: { peer in
            try await withLoader { loader in
                for _ in 0..<20 { #expect(await loader.load(peer.url()) == .text("x")) }
                #expect(peer.accepted == 1)
                #expect(peer.requests.map(\.predecessors) == Array(0..<20))
            }
        }
    }

    /// The server closes an idle connection at the very moment at which the next request comes: whatever it was that
    /// it closed by, the request goes out again.
    @Test(arguments: [HTTPPeer.Step.close, .reset])
    func requestThatMeetsTheEndOfAnIdleConnection(end: HTTPPeer.Step) async throws {
        try await HTTPPeer.with { request in
            request.predecessors == 0 ? [answer("200 OK", "x")] : [end]
        } _: { peer in
            try await withLoader { loader in
                for _ in 0..<5 { #expect(await loader.load(peer.url()) == .text("x")) }
                #expect(peer.accepted == 5)
                #expect(peer.requests.count == 9, "each but the first was sent twice")
            }
        }
    }

    @Test func manyIdleConnectionsThatEnd() async throws {
        try await HTTPPeer.with { request in
            request.predecessors == 0 ? [.hold, answer("200 OK", "x")] : [.close]
        } _: { peer in
            try await withLoader { loader in
                let loads = (0..<10).map { _ in Task { await loader.load(peer.url()) } }
                try await eventually("all requests") { peer.holding == 10 }
                peer.release()
                for load in loads { #expect(await load.value == .text("x")) }
                let load = Task { await loader.load(peer.url()) }
                try await eventually("a connection of its own") { peer.holding == 1 }
                peer.release()
                #expect(await load.value == .text("x"))
                #expect(peer.requests.count == 21, "all ten were tried")
            }
        }
    }

    /// A server that restarts, or closes what has been idle for long.
    @Test func closedBetweenRequests() async throws {
        try await HTTPPeer.with { _ in
            [answer("200 OK", "x")]
        } _: { peer in
            try await withLoader { loader in
                for round in 0..<200 {
                    #expect(await loader.load(peer.url()) == .text("x"), "round \(round)")
                    peer.cut()
                }
                #expect(peer.accepted > 100, "unless the request was faster")
            }
        }
    }

    @Test func answersNobodyAskedFor() async throws {
        let timeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        try await HTTPPeer.with { _ in
            [answer("200 OK", "x")]
        } _: { peer in
            try await withLoader { loader in
                for round in 1...5 {
                    #expect(await loader.load(peer.url()) == .text("x"))
                    peer.send(timeout)
                    try await eventually("end of the connection") { peer.open == 0 }
                    #expect(peer.accepted == round)
                }
            }
        }
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
        try await HTTPPeer.with { _ in
            [.send(two + "x" + two + "y")]
        } _: { peer in
            try await withLoader { loader in
                for _ in 0..<5 { #expect(await loader.load(peer.url()) == .text("x")) }
            }
        }
    }

    @Test func connectionIsClosedWhereItIsSaidTo() async throws {
        let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        try await HTTPPeer.with { _ in
            [.send(last)]
        } _: { peer in
            try await withLoader { loader in
                for _ in 0..<5 { #expect(await loader.load(peer.url()) == .text("x")) }
                #expect(peer.accepted == 5)
            }
        }
    }

    @Test func overTLS() async throws {
        let certificate = try await TestCertificate(for: "localhost")
        try await HTTPPeer.with(certificate: certificate) { _ in
            [answer("200 OK", "x")]
        } _: { peer in
            try await withLoader(HTTPLoader(tls: certificate.clientConfiguration)) { loader in
                for _ in 0..<3 { #expect(await loader.load("https://localhost:\(peer.port)/a?b") == .text("x")) }
                #expect(peer.accepted == 1)
                #expect(peer.requests[0].text.hasPrefix("GET /a?b HTTP/1.1\r\n"))
                peer.cut()
                #expect(await loader.load("https://localhost:\(peer.port)/") == .text("x"))
            }
        }
    }

    @Test func withoutTrustNothingIsAsked() async throws {
        let certificate = try await TestCertificate(for: "localhost")
        let other = try await TestCertificate(for: "other.example")
        try await HTTPPeer.with(certificate: certificate) { _ in
            [answer()]
        } _: { peer in
            let host = "localhost:\(peer.port)"
            for tls in [.makeClientConfiguration(), other.clientConfiguration] {
                try await withLoader(HTTPLoader(tls: tls)) { loader in
                    #expect(
                        await loader.load("https://\(host)/")
                            == .failed("connecting to \(host): its certificate isn't trusted"))
                }
            }
            #expect(peer.requests.isEmpty)
        }
        try await HTTPPeer.with(certificate: other) { _ in
            [answer()]
        } _: { peer in
            try await withLoader(HTTPLoader(tls: other.clientConfiguration)) { loader in
                let host = "localhost:\(peer.port)"
                #expect(
                    await loader.load("https://\(host)/")
                        == .failed("connecting to \(host): its certificate is for another name"))
            }
            #expect(peer.requests.isEmpty)
        }
    }

    @Test func plainServerBehindHTTPS() async throws {
        try await HTTPPeer.with(greeting: "220 hello\r\n\r\n") { _ in
            []
        } _: { peer in
            try await withLoader { loader in
                #expect(
                    await loader.load("https://127.0.0.1:\(peer.port)/")
                        == .failed("connecting to 127.0.0.1:\(peer.port): it doesn't speak TLS"))
            }
        }
    }

    /// Over TLS the end of the connection is only the body's end if the server says so.
    @Test func cutBodyOverTLS() async throws {
        let certificate = try await TestCertificate(for: "localhost")
        let head = "HTTP/1.1 200 OK\r\n\r\nhalf"
        try await HTTPPeer.with(certificate: certificate) { _ in
            [.send(head), .cut]
        } _: { peer in
            try await withLoader(HTTPLoader(tls: certificate.clientConfiguration)) { loader in
                #expect(
                    await loader.load("https://localhost:\(peer.port)/")
                        == .failed("the connection was closed before the end of the answer"))
            }
        }
    }
}
