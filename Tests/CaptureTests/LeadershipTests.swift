import Postgres
import TestSupport
import Testing

@testable import Capture

@Suite struct LeadershipTests {
    @Test(arguments: Wake.allCases) func theSecondLeadsWhenTheFirstIsGone(_ wake: Wake) async throws {
        try await TestDatabase.with { database in
            let first = try await database.connect(), second = try await database.connect()
            let witness = try await database.connect()
            let pid = try #require(try await first.value("SELECT pg_backend_pid()"))
            #expect(try await Leadership(connection: first, wake: wake).tryAcquire())
            let successor = Leadership(connection: second, wake: wake)
            #expect(try await !successor.tryAcquire())
            #expect(try await Leadership.isTaken(witness))
            async let succession: Void = successor.acquire()
            _ = try await witness.value("SELECT pg_terminate_backend(\(pid))")
            let start = ContinuousClock.now
            try await succession
            #expect(.now - start < .seconds(5))
            #expect(try await Leadership.isTaken(witness))
        }
    }

    /// A snapshot keeps VACUUM from removing what has died since, and CREATE INDEX CONCURRENTLY from ending.
    @Test(arguments: Wake.allCases) func whoStandsByHoldsNoSnapshot(_ wake: Wake) async throws {
        try await TestDatabase.with { database in
            let first = try await database.connect(), second = try await database.connect()
            let witness = try await database.connect()
            let pid = try #require(try await second.value("SELECT pg_backend_pid()"))
            #expect(try await Leadership(connection: first, wake: wake).tryAcquire())
            let successor = Leadership(connection: second, wake: wake)
            #expect(try await !successor.tryAcquire())
            let asked = try await witness.value("SELECT state_change FROM pg_stat_activity WHERE pid = \(pid)") ?? ""
            let standby = Task { try await successor.acquire() }
            try await eventually("it has asked again and waits for nothing of Postgres") {
                try await witness.value(
                    """
                    SELECT state = 'idle' AND backend_xmin IS NULL AND state_change > '\(asked)'
                    FROM pg_stat_activity WHERE pid = \(pid)
                    """) == "t"
            }
            standby.cancel()
            await #expect(throws: PostgresError.self) { try await standby.value }
        }
    }

    @Test func anotherDatabaseHasALeaderOfItsOwn() async throws {
        try await TestDatabase.with { one in
            try await TestDatabase.with { other in
                let first = try await one.connect(), second = try await other.connect()
                #expect(try await Leadership(connection: first, wake: .notify).tryAcquire())
                #expect(try await !Leadership.isTaken(second))
                #expect(try await Leadership(connection: second, wake: .notify).tryAcquire())
            }
        }
    }
}
