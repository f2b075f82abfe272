import Postgres
import TestSupport
import Testing

@testable import Capture

/// Slots are emptied when everybody has passed them and they are old enough.
@Suite struct ReclaimTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY)"
    private static let rules = "- {name: r, table: items, delete: {keys: ['k:{id}']}}"
    /// No slot ends while a test runs.
    private static let slow = CaptureSettings(replayWindow: .seconds(10_000_000))

    /// Lends a database with one record in the slot that is emptied next.
    private func withAgedRecord(_ body: (Captured, Outbox) async throws -> Void) async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: Self.slow) {
            (captured) async throws in
            try await captured.owner.run("INSERT INTO items VALUES (1)")
            try await ageEverything(captured)
            try await body(captured, Outbox(connection: try await captured.database.connect()))
        }
    }

    private func count(_ captured: Captured) async throws -> Int {
        Int(try await captured.owner.value("SELECT count(*) FROM unstale.outbox") ?? "") ?? -1
    }

    @Test func onlyWhenAllHavePassed() async throws {
        try await withAgedRecord { (captured, outbox) async throws in
            let here = try await outbox.read(from: ReadPosition(.empty)).snapshot
            try await outbox.reclaim(passed: [.empty])
            #expect(try await count(captured) == 1)
            try await outbox.reclaim(passed: [here, .empty])
            #expect(try await count(captured) == 1)
            try await outbox.reclaim(passed: [])
            #expect(try await count(captured) == 1, "nobody has passed it")
            try await outbox.reclaim(passed: [here, here])
            #expect(try await count(captured) == 0)
            try await outbox.reclaim(passed: [here])
        }
    }

    /// The cursor is past the record's transaction id, but it was still in progress then.
    @Test func notWhatWasInProgress() async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: Self.slow) {
            (captured) async throws in
            let outbox = Outbox(connection: try await captured.database.connect())
            let late = try await captured.database.connect()
            try await late.run("BEGIN; INSERT INTO items VALUES (1)")
            try await captured.owner.run("INSERT INTO items VALUES (2)")
            let cursor = try await outbox.read(from: ReadPosition(.empty)).snapshot
            try await late.run("COMMIT")
            try await ageEverything(captured)
            try await outbox.reclaim(passed: [cursor])
            #expect(try await count(captured) == 2)
            try await outbox.reclaim(passed: [try await outbox.read(from: ReadPosition(cursor)).snapshot])
            #expect(try await count(captured) == 0)
        }
    }

    @Test func onlyTheOldestSlot() async throws {
        try await withAgedRecord { (captured, outbox) async throws in
            try await captured.owner.run("INSERT INTO items VALUES (2)")
            let here = try await outbox.read(from: ReadPosition(.empty)).snapshot
            try await outbox.reclaim(passed: [here])
            #expect(try await count(captured) == 1)
        }
    }

    /// Nobody is waited for: neither a writer in the middle of it nor a reader. And nobody waits for us.
    @Test(arguments: [
        "INSERT INTO unstale.outbox (slot, capture, op, rules) SELECT slot, 1, 'a', -1 FROM unstale.outbox",
        "SELECT count(*) FROM unstale.outbox", "LOCK TABLE unstale.outbox IN ACCESS SHARE MODE",
    ])
    func notWhileItIsInUse(sql: String) async throws {
        try await withAgedRecord { (captured, outbox) async throws in
            let other = try await captured.database.connect()
            try await other.run("BEGIN; \(sql)")
            let here = try await outbox.read(from: ReadPosition(.empty)).snapshot
            let start = ContinuousClock.now
            try await outbox.reclaim(passed: [here])
            #expect(ContinuousClock.now - start < .seconds(1))
            let writer = try await captured.database.connect()
            try await writer.run("SET lock_timeout = '1s'; INSERT INTO items VALUES (2)")
            #expect(try await count(captured) == 2)
            try await other.run("ROLLBACK")
            try await outbox.reclaim(passed: [here])
            #expect(try await count(captured) == 1)
        }
    }

    /// With slots of a second: while writers write, slots come round and are emptied, and nothing is lost.
    @Test func underConcurrentWriters() async throws {
        let settings = CaptureSettings(replayWindow: .seconds(3))
        try await Captured.with(Self.tables, rules: Self.rules, settings: settings) {
            (captured) async throws in
            let end = ContinuousClock.now + .seconds(8)
            let outbox = Outbox(connection: try await captured.database.connect())
            var position = ReadPosition(.empty), seen: [Int] = []
            func read() async throws {
                let batch = try await outbox.read(from: position)
                position = batch.next
                seen += batch.changes.compactMap {
                    $0.new?[0].flatMap { Int(String(decoding: $0, as: UTF8.self)) }
                }
            }
            try await withThrowingTaskGroup { group in
                for number in 0..<3 {
                    let writer = try await captured.database.connect()
                    group.addTask {
                        var id = number
                        while ContinuousClock.now < end {
                            id += 3
                            // Some hold their records open for a while.
                            let pause = id.isMultiple(of: 50) ? 0.5 : 0.002
                            try await writer.run(
                                "BEGIN; INSERT INTO items VALUES (\(id)); SELECT pg_sleep(\(pause)); COMMIT")
                        }
                    }
                }
                while ContinuousClock.now < end {
                    try await read()
                    try await outbox.reclaim(passed: [position.snapshot])
                    try await Task.sleep(for: .milliseconds(20))
                }
                try await group.waitForAll()
            }
            try await read()
            let written = try await captured.owner.lines("SELECT id FROM items ORDER BY 1").compactMap {
                Int($0)
            }
            #expect(seen.sorted() == written)
            let left = try await count(captured)
            #expect(left < written.count * 4 / 5, "\(left) of \(written.count) are left")
        }
    }
}
