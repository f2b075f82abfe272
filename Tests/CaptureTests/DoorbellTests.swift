import Postgres
import TestSupport
import Testing

@testable import Capture

/// Sleep and wake-up against real writers. The sweep, which would hide a lost wake-up, is switched off.
@Suite struct DoorbellTests {
    private static let table =
        "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'a')"
    private static let rule = "- name: user\n  table: users\n  delete: {keys: [\"user:{id}\"]}"
    private static let update = "UPDATE users SET name = name WHERE id = 1"

    /// A worker that reads and goes to sleep, and nothing else.
    private actor Sleeper {
        let doorbell: Doorbell
        private let outbox: Outbox
        private var position = ReadPosition(.empty)
        private(set) var reads = 0

        init(_ captured: Captured, pace: Duration) async throws {
            let listener = try await captured.database.connect()
            try await listener.run(Outbox.sessionSettings)
            let connections = Doorbell.Connections(
                listener: listener, lock: try await captured.database.connect())
            doorbell = Doorbell(connections, sweep: nil, pace: pace, quiet: .zero)
            outbox = Outbox(connection: listener, prepares: true)
            try await doorbell.open()
        }

        /// Reads and sleeps until something comes; gives how many records.
        func untilSomethingComes() async throws -> Int {
            while true {
                let batch = try await outbox.read(from: position)
                position = batch.next
                reads += 1
                if batch.records > 0 { return batch.records }
                try await doorbell.didRead(batch)
                try await doorbell.wait()
            }
        }
    }

    private enum Event { case seen, committed, late }

    @Test(.timeLimit(.minutes(5))) func noWakeUpIsLostInTenThousandRounds() async throws {
        try await Captured.with(Self.table, rules: Self.rule) { captured in
            let sleeper = try await Sleeper(captured, pace: .milliseconds(1))
            let writer = try await captured.database.connect()
            var random = SeededGenerator()
            for round in 0..<10_000 {
                // From before the lock is asked for until well after it is granted.
                let moment = Duration.microseconds(Int.random(in: 0...2_500, using: &random))
                let isLate = try await withThrowingTaskGroup(of: Event.self) { group in
                    group.addTask {
                        _ = try await sleeper.untilSomethingComes()
                        return .seen
                    }
                    group.addTask {
                        try await Task.sleep(for: moment)
                        try await writer.run(Self.update)
                        return .committed
                    }
                    var events: Set<Event> = []
                    while let event = try await group.next() {
                        events.insert(event)
                        if event == .committed {
                            group.addTask {
                                try? await Task.sleep(for: .milliseconds(200))
                                return .late
                            }
                        }
                        if event == .late || events.isSuperset(of: [.seen, .committed]) { break }
                    }
                    group.cancelAll()
                    return !events.contains(.seen)
                }
                try #require(!isLate, "round \(round), a writer after \(moment)")
                try await sleeper.doorbell.standDown()
            }
        }
    }

    @Test func aWriterRingsOnlyWhileSomebodySleeps() async throws {
        try await Captured.with(Self.table, rules: Self.rule) { captured in
            let sleeper = try await Sleeper(captured, pace: .milliseconds(1))
            let witness = try await captured.database.connect()
            try await witness.run("LISTEN unstale")
            try await captured.owner.run(Self.update)
            #expect(try await !witness.waitForNotification(within: .milliseconds(100)))
            _ = try await sleeper.untilSomethingComes()
            async let seen = sleeper.untilSomethingComes()
            try await captured.untilLocked()
            try await captured.owner.run(Self.update)
            #expect(try await witness.waitForNotification(within: .seconds(5)))
            #expect(try await seen == 1)
            try await sleeper.doorbell.standDown()
            try await captured.owner.run(Self.update)
            #expect(try await !witness.waitForNotification(within: .milliseconds(100)))
        }
    }

    @Test func aLongTransactionNeitherDelaysOthersNorKeepsTheWorkerSpinning() async throws {
        try await Captured.with(Self.table, rules: Self.rule) { captured in
            try await captured.owner.run("INSERT INTO users VALUES (2, 'b')")
            let sleeper = try await Sleeper(captured, pace: .milliseconds(1))
            _ = try await sleeper.untilSomethingComes()
            // It saw the worker awake, so it won't ring, however late it commits.
            let long = try await captured.database.connect()
            try await long.run("BEGIN; UPDATE users SET name = name WHERE id = 2")
            let writer = try await captured.database.connect()
            for _ in 0..<20 {
                async let seen = sleeper.untilSomethingComes()
                // It polls once in 50 ms by now; a ring must come first.
                try await Task.sleep(for: .milliseconds(150))
                let before = await sleeper.reads
                let start = ContinuousClock.now
                try await writer.run(Self.update)
                #expect(try await seen == 1)
                #expect(.now - start < .milliseconds(200))
                #expect(await sleeper.reads - before <= 6)
            }
            async let seen = sleeper.untilSomethingComes()
            try await long.run("COMMIT")
            #expect(try await seen == 1)
        }
    }
}

extension Captured {
    /// Waits until somebody holds the doorbell's lock.
    fileprivate func untilLocked() async throws {
        try await eventually(within: .seconds(5)) {
            try await self.owner.value(
                """
                SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """) == "1"
        }
    }
}
