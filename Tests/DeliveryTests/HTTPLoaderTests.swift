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
        ("/%0D%0AX:%201?%0d%0aY=%00", "/%0D%0AX:%201?%0d%0aY=%00"), ("/a//d", "/a//d"),
        ("/%7Euser/~user", "/%7Euser/~user"), ("/?a=%26%3D%25&b=+%2B", "/?a=%26%3D%25&b=+%2B"),
        ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"), ("/?a%5B%5D=1&b%5bc%5d=2", "/?a%5B%5D=1&b%5bc%5d=2"),
        ("/a;b=1/c,d", "/a;b=1/c,d"),
        ("/%C3%B6?q=%e4%BD%A0", "/%C3%B6?q=%e4%BD%A0"), ("//evil.example/x", "//evil.example/x"),
        ("/?next=http://evil.example/", "/?next=http://evil.example/"), ("/a?b?c", "/a?b?c"), ("/%25zz", "/%25zz"),
        ("/a:b@c", "/a:b@c"), ("/a..b/x", "/a..b/x"),
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
