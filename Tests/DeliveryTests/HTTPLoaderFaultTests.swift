import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct HTTPLoaderFaultTests {
    private static let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    private static let halfChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
    private static let early = "the connection was closed before the end of the answer"
    private static let garbage = "HOST answered with something that isn't HTTP"

    @Test(arguments: [
        ([HTTPPeer.Step.close], "HOST closed the connection without an answer"),
        ([.reset], "HOST closed the connection without an answer"),
        ([.send(half), .close], early), ([.send(halfChunked), .close], early),
        ([.send(halfChunked + "0\r\n"), .close], early), ([.send("HTTP/1.1 200 OK\r\nContent-Le"), .close], early),
        ([.send("HTTP/1.1 2"), .close], early),
        ([.send("220 mail.example ESMTP\r\n")], garbage), ([.send("\0\u{1}\u{2}garbage")], garbage),
        ([.send("HTTP/1.1 abc OK\r\n\r\n")], garbage), ([.send("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")], garbage),
        ([.send("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")], garbage),
        ([.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n")], garbage),
        ([.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")], garbage),
        ([.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx")], garbage),
        ([.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")], garbage),
        ([.send("HTTP/1.1 200 OK\r\n"), .flood("X-Header: 1\r\n")], garbage),
        ([.send("HTTP/1.1 200 OK\r\nX: "), .flood(String(repeating: "x", count: 1024))], garbage),
        ([.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")], "answered 101"),
    ])
    func brokenAnswers(steps: [HTTPPeer.Step], reason: String) async throws {
        try await HTTPPeer.with { _ in
            steps
        } _: { peer in
            try await withLoader { loader in
                let expected = reason.replacing("HOST", with: "127.0.0.1:\(peer.port)")
                #expect(await loader.load(peer.url("/secret?row=value")) == .failed(expected))
                #expect(peer.requests.count == 1, "the caller decides about another attempt")
                try await eventually("end of the connection") { peer.open == 0 }
            }
        }
    }

    @Test func resetInTheMiddle() async throws {
        try await HTTPPeer.with { _ in
            [.send(Self.half), .reset]
        } _: { peer in
            try await withLoader { loader in
                // What came before a reset may be lost to it.
                let lines = [Self.early, "127.0.0.1:\(peer.port) closed the connection without an answer"]
                #expect(lines.contains(await loader.load(peer.url()).reason ?? ""))
            }
        }
    }

    @Test(arguments: [half, halfChunked])
    func halfATouchIsNone(response: String) async throws {
        try await HTTPPeer.with { _ in
            [.send(response), .close]
        } _: { peer in
            try await withLoader { loader in
                #expect(await loader.touch(peer.url()) == .failed(Self.early))
            }
        }
    }

    @Test(arguments: [
        ([HTTPPeer.Step.hold], "answer"), ([.send("HTTP/1.1 200 OK\r\nX:")], "answer"),
        ([.send(half)], "end of the answer"), ([.send(halfChunked)], "end of the answer"),
        ([.send("HTTP/1.1 200 OK\r\n\r\n"), .flood("x")], "end of the answer"),
    ])
    func hangs(steps: [HTTPPeer.Step], awaited: String) async throws {
        try await HTTPPeer.with { _ in
            steps
        } _: { peer in
            try await withLoader { loader in
                try await inSomeTime { timeout in
                    let start = ContinuousClock.now
                    let loaded = await loader.load(peer.url(), timeout: timeout)
                    #expect((timeout...timeout + .seconds(20)).contains(ContinuousClock.now - start))
                    return loaded == .failed("no \(awaited) within \(timeout)")
                }
                try await inSomeTime { timeout in
                    await loader.touch(peer.url(), timeout: timeout) == .failed("no \(awaited) within \(timeout)")
                }
                try await eventually("end of the connections") { !peer.isAsked }
            }
        }
    }

    @Test func statusCountsWithoutItsBody() async throws {
        let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n"
        try await HTTPPeer.with { _ in
            [.send(head)]
        } _: { peer in
            try await withLoader { loader in
                try await inSomeTime { await loader.load(peer.url(), timeout: $0) == .absent }
            }
        }
    }

    @Test func hangBeforeConnecting() async throws {
        // The kernel accepts for a listener that doesn't, until its queue is full; then nobody answers.
        try await withSilentListener { port in
            try await withLoader { loader in
                let loads = (0..<8).map { _ in
                    Task { await loader.load("http://127.0.0.1:\(port)/", timeout: .milliseconds(500)) }
                }
                for load in loads { #expect(await load.value == .failed("no answer within 0.5 seconds")) }
            }
        }
    }

    @Test func refusedConnection() async throws {
        let port = try HTTPPeer.unusedPort()
        try await withLoader { loader in
            for host in ["127.0.0.1:\(port)", "localhost:\(port)"] {
                #expect(
                    await loader.load("http://\(host)/x?y=z")
                        == .failed("connecting to \(host): connection refused"))
            }
        }
    }

    @Test func refusedOnceAndThenFound() async throws {
        let port = try HTTPPeer.unusedPort()
        try await withLoader { loader in
            #expect(await loader.load("http://127.0.0.1:\(port)/").reason?.hasSuffix("connection refused") == true)
            try await HTTPPeer.with(port: port) { _ in
                [answer()]
            } _: { peer in
                #expect(await loader.load(peer.url()) == .value([]))
            }
        }
    }

    @Test func unknownHost() async throws {
        // Too long for a name: no server has to be asked.
        let host = String(repeating: "a", count: 64) + ".invalid"
        try await withLoader { loader in
            #expect(
                await loader.load("http://\(host)/x")
                    == .failed("connecting to \(host): the name can't be resolved"))
        }
    }

    @Test(arguments: [
        ("X-A", "a\r\nX-B: b"), ("X-A", "a\nb"), ("X-A", "a\rb"), ("X-A", "a\0b"), ("X-A", "a\u{7f}"),
        ("X-A:", "a"), ("X A", "a"), ("", "a"), ("X\r\nY", "a"), ("\u{fc}", "a"),
    ])
    func headersThatAreMoreThanOne(name: String, value: String) async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            try await withLoader { loader in
                let reason =
                    name == "X-A"
                    ? "the value of the header X-A has a line break or another control character"
                    : "a header's name has a character that no header's name may have"
                #expect(await loader.load(peer.url(), [.init(name, value)]) == .failed(reason))
                let latin = HTTPCall.Header(name: "X-A", value: [0xfc])
                #expect(await loader.load(peer.url(), [latin]) == .failed("the value of the header X-A isn't UTF-8"))
                #expect(peer.accepted == 0, "nothing was sent")
            }
        }
    }

    @Test func cancellationEndsALoadAtOnce() async throws {
        try await HTTPPeer.with { request in
            request.text.contains("/body") ? [.send(Self.half)] : []
        } _: { peer in
            try await withLoader { loader in
                for path in ["/head", "/body"] {
                    let before = peer.requests.count
                    let load = Task { await loader.load(peer.url(path)) }
                    try await eventually("the request") { peer.requests.count == before + 1 }
                    let start = ContinuousClock.now
                    load.cancel()
                    #expect(await load.value == .failed("cancelled"))
                    #expect(ContinuousClock.now - start < .seconds(5))
                    try await eventually("end of the connection") { peer.open == 0 }
                }
                let before = peer.accepted
                for _ in 0..<50 {
                    let load = Task {
                        withUnsafeCurrentTask { $0?.cancel() }
                        return await loader.load(peer.url("/never"))
                    }
                    #expect(await load.value == .failed("cancelled"))
                }
                #expect(peer.accepted == before, "a task that was cancelled before asks nothing")
            }
        }
    }

    @Test func shutdownEndsLoads() async throws {
        try await HTTPPeer.with { request in
            request.text.contains("/body") ? [.send(Self.half)] : []
        } _: { peer in
            try await withLoader(HTTPLoader(connections: 20)) { loader in
                let loads = (0..<40).map { number in
                    Task {
                        await loader.load(
                            peer.url(number % 2 == 0 ? "/head" : "/body"),
                            allowing: number < 20 ? [] : ["169.254.1.1"])
                    }
                }
                try await eventually("all requests") { peer.requests.count == 40 }
                await loader.shutdown()
                for load in loads { #expect(await load.value == .failed("cancelled")) }
                try await eventually("end of the connections") { peer.open == 0 }
                #expect(await loader.load(peer.url()) == .failed("cancelled"))
                #expect(peer.requests.count == 40)
            }
        }
    }
}
