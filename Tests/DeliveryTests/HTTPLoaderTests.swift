import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct HTTPLoaderTests {
    @Test func asksWithTheseBytesAndNoOthers() async throws {
        try await HTTPPeer.with { _ in
            [answer("200 OK", "hello")]
        } _: { peer in
            try await withLoader { loader in
                let headers = [HTTPCall.Header("X-Cache-Bypass", "1"), .init("X-Name", "J\u{f6}rg  a\tb")]
                #expect(await loader.load(peer.url("/a?b=c"), headers) == .text("hello"))
                #expect(
                    peer.requests.map(\.text) == [
                        """
                        GET /a?b=c HTTP/1.1\r
                        X-Cache-Bypass: 1\r
                        X-Name: J\u{f6}rg  a\tb\r
                        User-Agent: unstale\r
                        host: 127.0.0.1:\(peer.port)\r
                        \r\n
                        """
                    ])
            }
        }
    }

    @Test func rulesMayNameHostAndUserAgent() async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            try await withLoader { loader in
                let headers = [HTTPCall.Header("Host", "shop.example"), .init("user-agent", "warmer")]
                #expect(await loader.load(peer.url(), headers) == .value([]))
                #expect(
                    peer.requests.map(\.text) == [
                        "GET / HTTP/1.1\r\nHost: shop.example\r\nuser-agent: warmer\r\n\r\n"
                    ])
            }
        }
    }

    @Test(arguments: [
        ("", "/"), ("/", "/"), ("?", "/?"), ("?a=1", "/?a=1"), ("/a%20b%2Fc%3F", "/a%20b%2Fc%3F"),
        ("/%0D%0AX:%201?%0d%0aY=%00", "/%0D%0AX:%201?%0d%0aY=%00"), ("/a/../b/./c//d", "/a/../b/./c//d"),
        ("/%7Euser/~user", "/%7Euser/~user"), ("/?a=%26%3D%25&b=+%2B", "/?a=%26%3D%25&b=+%2B"),
        ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"), ("/?a%5B%5D=1&b%5bc%5d=2", "/?a%5B%5D=1&b%5bc%5d=2"),
        ("/a;b=1/c,d", "/a;b=1/c,d"),
        ("/%C3%B6?q=%e4%BD%A0", "/%C3%B6?q=%e4%BD%A0"), ("//evil.example/x", "//evil.example/x"),
        ("/?next=http://evil.example/", "/?next=http://evil.example/"), ("/a?b?c", "/a?b?c"), ("/%25zz", "/%25zz"),
        ("/a:b@c", "/a:b@c"), ("/%2e%2E/x", "/%2e%2E/x"),
    ])
    func keepsTheURLAsItIs(path: String, target: String) async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.load(peer.url(path)) == .value([]))
                #expect(peer.requests.first?.text.hasPrefix("GET \(target) HTTP/1.1\r\n") == true)
                #expect(peer.requests.count == 1)
            }
        }
    }

    @Test(arguments: [
        ("200 OK", Loaded.text("body")), ("404 Not Found", .absent), ("410 Gone", .absent),
        ("500 Internal Server Error", .failed("answered 500")), ("503 Slow\tDown", .failed("answered 503")),
        ("201 Created", .failed("answered 201")), ("206 Partial Content", .failed("answered 206")),
        ("301 Moved", .failed("answered 301: redirects aren't followed")),
        ("308 Moved", .failed("answered 308: redirects aren't followed")),
        ("401 Unauthorized", .failed("answered 401")), ("408 Request Timeout", .failed("answered 408")),
        ("999 What", .failed("answered 999")),
    ])
    func statuses(status: String, expected: Loaded) async throws {
        try await HTTPPeer.with { _ in
            [answer(status + "\r\nLocation: /other", "body")]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.load(peer.url()) == expected)
                #expect(await loader.load(peer.url()) == expected)
                #expect(peer.requests.count == 2, "nothing was followed")
                #expect(peer.accepted == 1, "the body was read to its end")
            }
        }
    }

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

    @Test func fiftyAtOnce() async throws {
        try await HTTPPeer.with { request in
            [.hold, answer("200 OK", request.text.split(separator: " ")[1].description)]
        } _: { peer in
            try await withLoader { loader in
                for _ in 0..<2 {
                    let loads = (0..<50).map { number in
                        Task { await loader.load(peer.url("/\(number)")) == .text("/\(number)") }
                    }
                    try await eventually("all requests") { peer.holding == 50 }
                    peer.release()
                    for load in loads { #expect(await load.value) }
                }
                #expect(peer.accepted == 50, "the second fifty used the connections of the first")
            }
        }
    }

    @Test func fewConnectionsServeMany() async throws {
        try await HTTPPeer.with { _ in
            [answer("200 OK", "x")]
        } _: { peer in
            try await withLoader(HTTPLoader(connections: 2)) { loader in
                let loads = (0..<50).map { _ in Task { await loader.load(peer.url()) } }
                for load in loads { #expect(await load.value == .text("x")) }
                #expect((1...2).contains(peer.accepted))
            }
        }
    }
}
