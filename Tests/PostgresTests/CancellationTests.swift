import Postgres
import TestSupport
import Testing

@Suite struct CancellationTests {
    @Test func stopsTheStatementAndLeavesTheConnection() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let other = try await PostgresConnection.toSharedServer()
        let backend = try await connection.backend
        for _ in 1...20 {
            let sleep = Task { _ = try await connection.query("SELECT pg_sleep(60)", doing: "sleeping") }
            try await eventually("a running statement") {
                try await other.value("SELECT state FROM pg_stat_activity WHERE pid = \(backend)") == "active"
            }
            let start = ContinuousClock.now
            sleep.cancel()
            let error = try await failure { try await sleep.value }
            #expect(error.code == .cancelled && isOneLine(error) && !error.isServerTrouble, "\(error)")
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(try await connection.backend == backend)
        }
    }

    @Test func aCancelledTaskRunsNothing() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        try await connection.script("CREATE TEMPORARY TABLE t (i int)", doing: "test")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await connection.script("INSERT INTO t VALUES (1)", doing: "test")
        }
        let error = try await failure { try await task.value }
        #expect(error.code == .cancelled)
        #expect(try await connection.value("SELECT count(*) FROM t") == "0")
    }

    @Test func ofACallThatWaitsForAnother() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let first = Task { try await connection.value("SELECT pg_sleep(0.3), 'done'") != nil }
        try await Task.sleep(for: .milliseconds(50))
        let second = Task { _ = try await connection.query("SELECT pg_sleep(60)", doing: "sleeping") }
        try await Task.sleep(for: .milliseconds(50))
        second.cancel()
        #expect(try await first.value)
        let error = try await failure { try await second.value }
        #expect(error.code == .cancelled)
    }

    /// Cancellations at every moment of short calls; the next call of somebody else must never notice.
    @Test func neverHitsTheNextCall() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        var random = SeededGenerator()
        var cancelled = 0
        for round in 1...2000 {
            let victim = Task { _ = try await connection.value("SELECT \(round)") }
            let delay = Int.random(in: 0...400, using: &random)
            await spin(for: .microseconds(delay))
            victim.cancel()
            let bystander = try await connection.value("SELECT pg_sleep(0.0002), \(round)::text")
            #expect(bystander != nil)
            do {
                try await victim.value
            } catch let error as PostgresError {
                #expect(error.code == .cancelled)
                cancelled += 1
            }
        }
        #expect(
            cancelled > 100 && cancelled < 1990, "the cancellations came too late or too early: \(cancelled)")
    }

    /// Gives way to others for so long; a sleep would be too coarse.
    private func spin(for duration: Duration) async {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end { await Task.yield() }
    }
}
