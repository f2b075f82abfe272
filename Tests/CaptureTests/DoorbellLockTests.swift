import Postgres
import TestSupport
import Testing

@testable import Capture

/// The doorbell's lock, when a worker gives it up or dies.
@Suite struct DoorbellLockTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY)"
    private static let rules = "- {name: r, table: items, delete: {keys: ['k:{id}']}}"

    private func doorbell(_ captured: Captured) async throws -> Doorbell {
        let doorbell = Doorbell(
            .init(
                listener: try await captured.database.connect(), lock: try await captured.database.connect()))
        try await doorbell.open()
        return doorbell
    }

    /// Who holds the lock exclusively, or waits for it.
    private func sleepers(_ captured: Captured) async throws -> String? {
        try await captured.owner.value(
            """
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """)
    }

    /// A request may be granted at the very moment it is given up. Were the lock kept then, every writer would
    /// ring for ever, and queue up behind the others' commits.
    @Test func givenUpAtAnyMoment() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let doorbell = try await doorbell(captured)
            let writer = try await captured.database.connect()
            let nothing = try await captured.read()
            var random = SeededGenerator()
            for id in 1...300 {
                try await writer.run("BEGIN; INSERT INTO items VALUES (\(id))")
                try await doorbell.didRead(nothing)
                let moment = Duration.microseconds(Int.random(in: 0...800, using: &random))
                async let commit: Void = {
                    try await Task.sleep(for: moment)
                    try await writer.run("COMMIT")
                }()
                try await Task.sleep(for: .microseconds(300))
                try await doorbell.standDown()
                try await commit
                #expect(try await sleepers(captured) == "0", "round \(id), a commit after \(moment)")
            }
        }
    }

    /// The backend of a dead worker that waits for the lock makes writers ring, for nobody, until it notices.
    @Test func aWorkerThatDiesWaiting() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let writer = try await captured.database.connect()
            try await writer.run("BEGIN; INSERT INTO items VALUES (1)")
            let nothing = try await captured.read()
            do {
                let doorbell = try await doorbell(captured)
                try await doorbell.didRead(nothing)
                try await eventually("a request") { try await sleepers(captured) == "1" }
            }
            try await eventually(within: .seconds(5), "the request's end") {
                try await sleepers(captured) == "0"
            }
            try await writer.run("COMMIT")
        }
    }

    /// The same for one that dies in its sleep.
    @Test func aWorkerThatDiesAsleep() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let nothing = try await captured.read()
            do {
                let doorbell = try await doorbell(captured)
                try await doorbell.didRead(nothing)
                try await eventually("the lock") { try await !doorbell.wait() }
                #expect(try await sleepers(captured) == "1")
            }
            try await eventually("the lock's end") { try await sleepers(captured) == "0" }
        }
    }

    /// `wake: poll` has no connections: nobody rings, and the worker reads by the clock.
    @Test func withoutConnections() async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: .init(wake: .poll)) {
            (captured) async throws in
            let doorbell = Doorbell(nil, sweep: .milliseconds(50), pace: .milliseconds(5))
            try await doorbell.open()
            let witness = try await captured.database.connect()
            try await witness.run(
                "LISTEN unstale; SELECT pg_advisory_lock(\(AdvisoryLock.doorbell.arguments))")
            for _ in 1...20 {
                try await doorbell.didRead(try await captured.read())
                let start = ContinuousClock.now
                #expect(try await doorbell.wait() == false)
                #expect(ContinuousClock.now - start < .seconds(1))
            }
            try await captured.expect("INSERT INTO items VALUES (1)", ["insert items 1"])
            #expect(try await witness.waitForNotification(within: .milliseconds(50)) == false)
            let wait = Task { while true { try await doorbell.wait() } }
            wait.cancel()
            let error = try await failure { try await wait.value }
            #expect((error as? PostgresError)?.code == .cancelled)
        }
    }
}
