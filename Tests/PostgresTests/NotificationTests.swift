import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct NotificationTests {
    @Test func waitsForANotification() async throws {
        let listener = try await PostgresConnection.toSharedServer()
        let sender = try await PostgresConnection.toSharedServer()
        try await listener.script("LISTEN waits", doing: "test")
        #expect(try await listener.waitForNotification(within: .milliseconds(20)) == false)
        for _ in 1...50 {
            async let heard = listener.waitForNotification(within: .seconds(10))
            try await sender.script("NOTIFY waits", doing: "test")
            #expect(try await heard)
        }
        #expect(try await listener.waitForNotification(within: .milliseconds(20)) == false)
    }

    /// One that came with another statement's answer is not forgotten; several are one.
    @Test func notificationsFromBefore() async throws {
        let listener = try await PostgresConnection.toSharedServer()
        try await listener.script("LISTEN before; NOTIFY before, 'a'; NOTIFY before, 'b'", doing: "test")
        #expect(try await listener.value("SELECT 'other'") == "other")
        #expect(try await listener.waitForNotification(within: .seconds(10)))
        #expect(try await listener.waitForNotification(within: .milliseconds(20)) == false)
    }

    @Test func endWaitEndsIt() async throws {
        let listener = try await PostgresConnection.toSharedServer()
        for _ in 1...50 {
            async let heard = listener.waitForNotification(within: .seconds(60))
            try await Task.sleep(for: .milliseconds(1))
            listener.endWait()
            #expect(try await heard == false)
        }
    }

    /// It may come between two waits, and must never stop a statement.
    @Test func endWaitIsAboutWaitsOnly() async throws {
        let listener = try await PostgresConnection.toSharedServer()
        async let slow = listener.value("SELECT pg_sleep(0.2)")
        try await Task.sleep(for: .milliseconds(50))
        listener.endWait()
        #expect(try await slow != nil)
        #expect(try await listener.waitForNotification(within: .seconds(60)) == false)
    }

    @Test func cancellationEndsIt() async throws {
        let listener = try await PostgresConnection.toSharedServer()
        let wait = Task { _ = try await listener.waitForNotification(within: .seconds(60)) }
        try await Task.sleep(for: .milliseconds(20))
        wait.cancel()
        let error = try await failure { try await wait.value }
        #expect(error.code == .cancelled)
        #expect(try await listener.value("SELECT 'usable'") == "usable")
    }

    @Test func theEndOfTheConnectionEndsIt() async throws {
        let listener = try await PostgresConnection.toSharedServer()
        let other = try await PostgresConnection.toSharedServer()
        let backend = try await listener.backend
        let wait = Task { _ = try await listener.waitForNotification(within: .seconds(60)) }
        try await Task.sleep(for: .milliseconds(20))
        _ = try await other.value("SELECT pg_terminate_backend(\(backend))::text")
        let error = try await failure { try await wait.value }
        #expect(error.code == .disconnected && isOneLine(error), "\(error)")
    }
}
