import Postgres
import TestSupport
import Testing

@testable import Capture

/// The cursor against real transactions.
@Suite struct CursorTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY)"
    private static let rules = "- {name: r, table: items, delete: {keys: ['k:{id}']}}"

    /// Writers that began first and commit last, with and without others' reads and writes between.
    @Test func lateCommitsAreNotLost() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let late = try await captured.database.connect()
            let early = try await captured.database.connect()
            try await late.run("BEGIN; INSERT INTO items VALUES (1)")
            try await captured.expect("SELECT", [])
            try await early.run("BEGIN; INSERT INTO items VALUES (2)")
            try await captured.expect("INSERT INTO items VALUES (3)", ["insert items 3"])
            try await captured.expect("SELECT", [])
            try await early.run("COMMIT")
            try await captured.expect("INSERT INTO items VALUES (4)", ["insert items 2", "insert items 4"])
            try await late.run("INSERT INTO items VALUES (5)")
            try await captured.expect("SELECT", [])
            try await late.run("COMMIT")
            try await captured.expect(
                "INSERT INTO items VALUES (6)", ["insert items 1", "insert items 5", "insert items 6"])
        }
    }

    /// It has its id before it writes anything that is captured.
    @Test func aTransactionThatWritesLate() async throws {
        try await Captured.with(Self.tables + "; CREATE TABLE others ()", rules: Self.rules) {
            (captured) async throws in
            let late = try await captured.database.connect()
            try await late.run("BEGIN; INSERT INTO others DEFAULT VALUES")
            try await captured.expect("INSERT INTO items VALUES (1)", ["insert items 1"])
            try await late.run("SAVEPOINT s; INSERT INTO items VALUES (2); RELEASE s")
            try await captured.expect("INSERT INTO items VALUES (3)", ["insert items 3"])
            try await late.run("COMMIT")
            try await captured.expect("SELECT", ["insert items 2"])
        }
    }

    /// A session that holds a snapshot and one that holds a transaction id, all the while.
    @Test func othersAreNotHeldUp() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let snapshot = try await captured.database.connect(),
                writer = try await captured.database.connect()
            try await snapshot.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM items")
            try await writer.run("BEGIN; INSERT INTO items VALUES (0)")
            for id in 1...300 {
                try await captured.expect("INSERT INTO items VALUES (\(id))", ["insert items \(id)"])
            }
            try await writer.run("ROLLBACK")
            try await captured.expect("SELECT", [])
        }
    }

    /// A transaction of many records, in pages, with a crash in it.
    @Test func pages() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            try await captured.owner.run(
                "DO $$ BEGIN FOR i IN 1..1000 LOOP INSERT INTO items VALUES (i); END LOOP; END $$")
            let outbox = Outbox(connection: try await captured.database.connect(), pageSize: 64)
            var position = ReadPosition(.empty)
            var counts: [Int] = []
            repeat {
                let batch = try await outbox.read(from: position)
                counts.append(batch.records)
                position = batch.next
                #expect(batch.isFull == (batch.records == 64 && counts.count < 16))
            } while counts.last == 64
            #expect(counts == Array(repeating: 64, count: 15) + [40])
            #expect(try await outbox.read(from: position).records == 0)
            // What is stored of a half-read transaction is the state before it.
            let half = try await outbox.read(from: ReadPosition(.empty)).next
            #expect(try await outbox.read(from: ReadPosition(half.snapshot)).records == 64)
            #expect(
                try await Outbox(connection: captured.owner).read(from: ReadPosition(half.snapshot)).records
                    == 1000)
            #expect(try await Outbox(connection: captured.owner).read(from: half).records == 936)
        }
    }

    /// Transactions that begin, write, commit and roll back at random, read in small pages by a reader that
    /// dies now and then: everything is read, and nothing that was rolled back.
    @Test(arguments: [false, true]) func randomTransactions(prepares: Bool) async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            var random = SeededGenerator()
            var writers: [PostgresConnection] = []
            for _ in 1...6 { writers.append(try await captured.database.connect()) }
            let reader = try await captured.database.connect()
            try await reader.run(Outbox.sessionSettings)
            var open: [Int: [String]] = [:]
            var committed: [String] = [], read: [String: Int] = [:], id = 0, deaths = 0
            var position = ReadPosition(.empty)
            func readPage(_ size: Int) async throws -> Bool {
                let batch = try await Outbox(connection: reader, pageSize: size, prepares: prepares).read(
                    from: position)
                for change in batch.changes {
                    read[change.new?[0].map { String(decoding: $0, as: UTF8.self) } ?? "", default: 0] += 1
                }
                position = batch.next
                return batch.isFull
            }
            for _ in 1...600 {
                let number = Int.random(in: 0..<writers.count, using: &random), writer = writers[number]
                switch (Int.random(in: 0..<10, using: &random), open[number]) {
                case (0...5, let written):
                    id += 1
                    try await writer.run(
                        (written == nil ? "BEGIN; " : "") + "INSERT INTO items VALUES (\(id))")
                    open[number, default: []].append("\(id)")
                case (6, let written?):
                    try await writer.run("COMMIT")
                    committed += written
                    open[number] = nil
                case (7, .some):
                    try await writer.run("ROLLBACK")
                    open[number] = nil
                case (8, _) where Int.random(in: 0..<5, using: &random) == 0:
                    position = ReadPosition(position.snapshot)
                    deaths += 1
                default: _ = try await readPage(Int.random(in: 1...5, using: &random))
                }
            }
            for (number, written) in open {
                try await writers[number].run("COMMIT")
                committed += written
            }
            while try await readPage(7) {}
            #expect(Set(read.keys) == Set(committed))
            #expect(deaths > 0 && committed.count > 100)
        }
    }

    /// The tables are never analyzed, so nothing but the index will do, whatever the planner believes of them.
    @Test func theReadGoesByTheIndex() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let reader = try await captured.database.connect()
            try await reader.run(Outbox.sessionSettings)
            try await captured.owner.run("INSERT INTO items SELECT generate_series(1, 100000)")
            try await reader.run("BEGIN")
            let outbox = Outbox(connection: reader, prepares: true)
            for snapshot in ["3:3:", "3:9:3,5", "100000:100000:"] {
                _ = try await outbox.read(from: ReadPosition(try #require(Snapshot(snapshot))))
            }
            let scans = try await reader.lines(
                "SELECT sum(seq_scan), sum(idx_scan) > 0 FROM pg_stat_xact_all_tables WHERE relname LIKE 'outbox\\_%'"
            )
            #expect(scans == ["0|t"])
        }
    }
}
