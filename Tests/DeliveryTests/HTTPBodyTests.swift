import Rules
import TestSupport
import Testing

@testable import Delivery

/// What a loader makes of an answer's body.
@Suite struct HTTPBodyTests {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Loaded.text("abcde")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\r\n\r\n", .value([])),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", .text("until the end")),
        ("HTTP/1.0 200 OK\r\n\r\nold", .text("old")),
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", .text("x")),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\ngzip", .text("gzip")),
        ("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n", .value([])),
    ])
    func bodies(response: String, expected: Loaded) async throws {
        try await HTTPPeer.with { _ in
            [.send(response), .close]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.load(peer.url()) == expected)
                #expect(await loader.load(peer.url()) == expected)
                #expect(Set(peer.requests.map(\.text)).count == 1, "no cookie came back")
            }
        }
    }

    @Test func bytesOfAnyKind() async throws {
        let text = String(decoding: (0..<40_000).map { UInt8($0 % 128) }, as: UTF8.self)
        try await HTTPPeer.with { _ in
            [answer("200 OK", text)]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.load(peer.url()) == .text(text))
                #expect(await loader.load(peer.url(), maxBytes: 40_000) == .text(text))
                #expect(await loader.load(peer.url(), maxBytes: 39_999) == .tooLarge)
            }
        }
    }

    @Test func tooLargeByItsLengthIsNotReadAtAll() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
        try await HTTPPeer.with { _ in
            [.send(head)]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.load(peer.url(), maxBytes: 99) == .tooLarge)
                try await eventually("end of the connection") { peer.open == 0 }
                #expect(peer.requests.count == 1)
            }
        }
    }

    @Test(arguments: ["Transfer-Encoding: chunked", "X: close-delimited"])
    func tooLargeWhileReadingEndsTheConnection(header: String) async throws {
        let chunk = "400\r\n" + String(repeating: "x", count: 1024) + "\r\n"
        let head = "HTTP/1.1 200 OK\r\n\(header)\r\n\r\n"
        try await HTTPPeer.with { _ in
            [.send(head), .flood(chunk)]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.load(peer.url(), maxBytes: 100_000) == .tooLarge)
                try await eventually("end of the connection") { peer.open == 0 }
            }
        }
    }

    @Test func touchStoresNothing() async throws {
        try await HTTPPeer.with { request in
            request.text.contains("/none") ? [answer("204 No Content")] : [answer("200 OK", "body")]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.touch(peer.url()) == .absent)
                #expect(await loader.touch(peer.url("/none")) == .absent)
                #expect(await loader.touch(peer.url()) == .absent)
                #expect(peer.accepted == 1, "the body was read to its end")
            }
        }
        try await HTTPPeer.with { request in
            [answer(request.predecessors == 0 ? "404 Not Found" : "302 Found", "elsewhere")]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.touch(peer.url()) == .absent)
                #expect(await loader.touch(peer.url()) == .failed("answered 302: redirects aren't followed"))
            }
        }
    }

    @Test func touchReadsNoEndlessBody() async throws {
        let head = "HTTP/1.1 200 OK\r\n\r\n"
        try await HTTPPeer.with { _ in
            [.send(head), .flood(String(repeating: "x", count: 65536))]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.touch(peer.url()) == .absent)
                try await eventually("end of the connection") { peer.open == 0 }
            }
        }
    }

    @Test func bodyThatNobodyNeedsIsReadToItsEnd() async throws {
        let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n"
        try await HTTPPeer.with { _ in
            [.send(head), .hold, .send("none")]
        } _: { peer in
            try await withLoader { loader in
                for _ in 0..<20 {
                    let load = Task { await loader.load(peer.url()) }
                    try await eventually("the request") { peer.holding == 1 }
                    peer.release()
                    #expect(await load.value == .absent)
                }
                #expect(peer.accepted == 1, "the connection is of use again")
            }
        }
    }
}
