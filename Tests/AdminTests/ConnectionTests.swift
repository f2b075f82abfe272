import NIOCore
import TestSupport
import Testing

@testable import Admin
@testable import Worker

/// Clients that mean ill, or are slow.
@Suite struct ConnectionTests {
    private static let head = "GET /livez HTTP/1.1\r\nHost: localhost\r\n"

    /// A byte now and then, for ever: of a head, and of a body.
    @Test(arguments: [
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ",
        "POST /api/pause HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sesame\r\nContent-Length: 60000\r\n\r\n",
        "POST /api/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n",
        "",
    ]) func slowRequests(beginning: String) async throws {
        try await AdminPort.with {
            $0.limits.request = .seconds(1)
        } _: { admin in
            let start = ContinuousClock.now
            let slow = try admin.connect()
            slow.send(beginning)
            try await slow.wait("the cut") { slow in
                if !beginning.isEmpty { slow.send("a") }
                return slow.isClosed
            }
            #expect(ContinuousClock.now - start >= .milliseconds(900))
            #expect(try await admin.get("/livez").status == 200)
        }
    }

    @Test func idleConnections() async throws {
        try await AdminPort.with {
            $0.limits.idle = .seconds(1)
        } _: { admin in
            let connection = try admin.connect()
            var start = ContinuousClock.now
            for count in 1...2 {
                start = .now
                connection.send(Self.head + "\r\n")
                try await connection.wait("answer \(count)") { $0.received.components(of: "\r\n\r\nok\n") == count }
            }
            try await connection.end()
            #expect(ContinuousClock.now - start >= .milliseconds(900))
        }
    }

    @Test func severalRequestsAtOnce() async throws {
        try await AdminPort.with { admin in
            let connection = try admin.connect()
            connection.send(String(repeating: Self.head + "\r\n", count: 20))
            try await connection.wait("20 answers") { $0.received.components(of: "\r\n\r\nok\n") == 20 }
        }
    }

    @Test func largeHeads() async throws {
        try await AdminPort.with { admin in
            let fine = try await admin.get("/livez", headers: ["X": String(repeating: "x", count: 8_000)])
            #expect(fine.status == 200)
            for head in [
                Self.head + "X: " + String(repeating: "x", count: 20_000),
                Self.head + (0..<200).map { "X\($0): " + String(repeating: "x", count: 100) }.joined(separator: "\r\n"),
                "GET /" + String(repeating: "x", count: 20_000),
                String(repeating: "x", count: 20_000),
            ] {
                let connection = try admin.connect()
                connection.send(head)
                let answer = try await connection.end(within: .seconds(5))
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(100))")
            }
        }
    }

    @Test func largeBodies() async throws {
        try await AdminPort.with { admin in
            let fits = try await admin.get(
                "/api/pause", method: "POST", headers: AdminPort.trusted,
                body: "{" + String(repeating: " ", count: 60_000) + "}")
            #expect(fits.status == 200)
            let large = try await admin.get(
                "/api/pause", method: "POST", headers: AdminPort.trusted,
                body: "{" + String(repeating: " ", count: 70_000) + "}")
            #expect(large.status == 413)
            #expect(large.body.contains("64 KiB"))
            #expect(admin.orders == [true])
            // One that tells no length, and never ends.
            let endless = try admin.connect()
            endless.send(
                "POST /api/pause HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sesame\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<80 { endless.send("400\r\n" + String(repeating: " ", count: 1024) + "\r\n") }
            try await endless.wait("refusal") { $0.received.hasPrefix("HTTP/1.1 413") }
        }
    }

    @Test func manyConnections() async throws {
        try await AdminPort.with {
            $0.connectionLimit = 8
        } _: { admin in
            let all = try (0..<20).map { _ in try admin.connect() }
            for connection in all { connection.send(Self.head + "\r\n") }
            for connection in all.prefix(8) {
                try await connection.wait("an answer") { $0.received.hasSuffix("ok\n") }
            }
            // Those that wait are let in when others go, and not before.
            let late = all[8]
            await #expect(throws: TestError.self) {
                try await late.wait("an answer", within: .milliseconds(300)) { !$0.received.isEmpty }
            }
            all[0].send(Self.head + "Connection: close\r\n\r\n")
            try await all[0].end()
            try await late.wait("an answer") { $0.received.hasSuffix("ok\n") }
        }
    }

    /// More of them than may be, and the worker's own threads stand still for none.
    @Test func aHundredAtOnce() async throws {
        try await AdminPort.with { admin in
            try await withThrowingTaskGroup { group in
                for _ in 0..<100 {
                    group.addTask {
                        let answer = try await admin.get("/api/status")
                        #expect(answer.status == 200)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func nonsense() async throws {
        try await AdminPort.with { admin in
            for text in [
                "\r\n\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}\0\0", "GET / HTTP/9.9\r\n\r\n",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ] {
                let connection = try admin.connect()
                connection.send(text)
                connection.send(String(repeating: "\r\nx", count: 10_000))
                let answer = try await connection.end(within: .seconds(15))
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(100))")
            }
            #expect(try await admin.get("/livez").status == 200)
        }
    }

    @Test func aPortThatIsTaken() async throws {
        try await AdminPort.with { admin in
            let address = AdminAddress(host: "127.0.0.1", port: admin.number)
            let error = await #expect(throws: AdminError.self) {
                try await AdminPort.with(configure: { $0.address = address }) { _ in }
            }
            #expect(error?.code == .taken)
            #expect(error?.description == "\(address) is taken: another process listens there")
        }
        for host in ["192.0.2.1", "no.such.host.invalid"] {
            let error = await #expect(throws: AdminError.self) { try await AdminPort.with(host: host) { _ in } }
            #expect(error?.code == .badSettings)
        }
    }
}

extension String {
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
