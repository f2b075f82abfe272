import Postgres
import TestSupport
import Testing

@Suite struct StartedStatementTests {
    private let lock = "SELECT pg_advisory_lock(8, 15)"
    private let unlock = "SELECT pg_advisory_unlock(8, 15)"
    private let requests = "SELECT count(*) FROM pg_locks WHERE objid = 15 AND NOT granted"

    private func twoConnections() async throws -> (PostgresConnection, PostgresConnection) {
        (try await .toSharedServer(), try await .toSharedServer())
    }

    @Test func finishesWhenTheLockIsFree() async throws {
        let (holder, waiter) = try await twoConnections()
        try await holder.script(lock, doing: "test")
        try await waiter.start(lock, doing: "test")
        for _ in 1...10 { #expect(try await waiter.isFinished(doing: "test") == false) }
        try await holder.script(unlock, doing: "test")
        try await eventually("the lock") { try await waiter.isFinished(doing: "test") }
        #expect(try await waiter.value(unlock) == "t")
    }

    @Test func stopEndsTheRequest() async throws {
        let (holder, waiter) = try await twoConnections()
        try await holder.script(lock, doing: "test")
        for _ in 1...50 {
            try await waiter.start(lock, doing: "test")
            try await waiter.stop(doing: "test")
            #expect(try await waiter.value(requests) == "0")
        }
        try await holder.script(unlock, doing: "test")
        #expect(try await waiter.value(unlock) == "f")
    }

    /// A session's lock may be granted at the very moment of the stop, whatever the statement's answer is.
    @Test func stopWhenTheLockIsGranted() async throws {
        let (holder, waiter) = try await twoConnections()
        var random = SeededGenerator()
        var granted = 0
        for _ in 1...300 {
            try await holder.script(lock, doing: "test")
            try await waiter.start(lock, doing: "test")
            let delay = Duration.microseconds(Int.random(in: 0...1500, using: &random))
            async let release: Void = {
                try await Task.sleep(for: delay)
                try await holder.script(unlock, doing: "test")
            }()
            try await Task.sleep(for: .microseconds(500))
            try await waiter.stop(doing: "test")
            try await release
            granted += try await waiter.value(unlock) == "t" ? 1 : 0
            #expect(try await holder.value("SELECT count(*) FROM pg_locks WHERE objid = 15") == "0")
        }
        #expect(granted > 0 && granted < 300, "the stops came too early or too late")
    }

    @Test func itsFailureIsThrown() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        try await connection.start("SELECT 1/0", doing: "test")
        let error = try await failure {
            while try await !connection.isFinished(doing: "test") { await Task.yield() }
        }
        #expect(error.sqlState == "22012")
    }
}
