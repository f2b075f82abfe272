import TestSupport
import Testing

@testable import Admin
@testable import Worker

/// `/api/changes?follow=1`.
@Suite struct FollowTests {
    private static let request = "GET /api/changes?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private func follow(_ admin: AdminPort, receiveBuffer: Int32? = nil) async throws -> RawConnection {
        let before = admin.followers
        let connection = try admin.connect(receiveBuffer: receiveBuffer)
        connection.send(Self.request)
        try await eventually("a follower") {
            connection.flush()
            return admin.followers == before + 1
        }
        return connection
    }

    @Test func events() async throws {
        try await AdminPort.with {
            $0.heartbeat = .milliseconds(50)
        } _: { admin in
            let one = try await follow(admin)
            let two = try await follow(admin)
            admin.tell(.change(AdminPort.change(7)))
            admin.tell(.skipped(17))
            for connection in [one, two] {
                try await connection.wait("events") {
                    $0.received.contains(": still here\n\n") && $0.received.contains("skipped")
                }
                let text = connection.received.replacing(/\r\n[0-9a-f]+\r\n/, with: "")
                #expect(text.contains("Content-Type: text/event-stream\r\n"))
                #expect(
                    text.contains(
                        "event: change\nid: 7\ndata: {\"at\":\"1970-01-01T00:00:01.000Z\",\"failures\":[],\"id\":7,"))
                #expect(text.contains("event: skipped\ndata: {\"count\":17}\n\n"))
            }
        }
    }

    /// It ends with the worker, at once: ``AdminPort/with`` sees to that.
    @Test func theEnd() async throws {
        let connection = try await AdminPort.with { admin in
            let connection = try await follow(admin)
            try await connection.wait("the beginning") { $0.received.contains(": changes from now on") }
            return connection
        }
        let all = try await connection.end(within: .seconds(2))
        #expect(all.hasSuffix("0\r\n\r\n"), "a whole answer")
    }

    @Test func whoeverGoesLeavesRoom() async throws {
        try await AdminPort.with {
            $0.followerLimit = 2
        } _: { admin in
            var one: RawConnection? = try await follow(admin)
            let two = try await follow(admin)
            let refused = try await admin.get("/api/changes?follow=1")
            #expect(refused.status == 429 && refused.headers["retry-after"] == "1")
            #expect(try await admin.get("/api/changes").status == 200)
            // A request for the head alone follows nothing.
            #expect(two.isClosed == false && one != nil)
            one = nil
            try await eventually("a place") {
                let connection = try admin.connect()
                connection.send(Self.request)
                try await connection.wait("an answer") { $0.received.hasPrefix("HTTP/1.1 ") }
                return connection.received.hasPrefix("HTTP/1.1 200")
            }
        }
    }

    /// For somebody who doesn't read nothing piles up: no more is taken from the feed than fits into the buffers, and
    /// in the end the connection is cut.
    @Test func aFollowerThatDoesNotRead() async throws {
        try await AdminPort.with {
            $0.limits.idle = .seconds(2)
        } _: { admin in
            admin.flood(10_000)
            let idle = try admin.connect(receiveBuffer: 4096)
            idle.send(Self.request)
            try await eventually("changes taken") {
                idle.flush()
                return admin.taken > 10
            }
            #expect(try await admin.get("/livez").status == 200)
            try await eventually(within: .seconds(20), "the cut") { admin.gone == 1 }
            #expect(admin.taken < 200)
            #expect(!idle.isClosed, "nothing was received")
        }
    }

    /// What comes faster than anybody reads is not even looked at.
    @Test func aFollowerThatReads() async throws {
        try await AdminPort.with { admin in
            admin.flood(1)
            let start = ContinuousClock.now
            let connection = try admin.connect()
            connection.send(Self.request)
            try await connection.wait("300 changes") { $0.received.contains("id: 300\n") }
            #expect(ContinuousClock.now - start >= .milliseconds(490))
        }
    }

    /// A client that goes is noticed at once, though there is nothing to tell it.
    @Test func whoeverGoesIsForgotten() async throws {
        try await AdminPort.with { admin in
            var connection: RawConnection? = try await follow(admin)
            try await connection?.wait("the beginning") { $0.received.contains(": changes from now on") }
            connection = nil
            try await eventually(within: .seconds(3), "the end") { admin.gone == 1 }
        }
    }
}
