import TestSupport
import Testing

@testable import Capture

/// Statements that change many rows.
@Suite struct BulkTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY, name text, n int DEFAULT 0)"
    private static let rules = "- {name: r, table: items, columns: [name], delete: {keys: ['k:{id}:{name}']}}"

    @Test func chunks() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            for (count, records) in [(2, 1), (255, 1), (256, 1), (257, 2), (1000, 4)] {
                try await captured.owner.run(
                    "INSERT INTO items SELECT i, 'a' FROM generate_series(1, \(count)) i")
                var batch = try await captured.read()
                #expect(batch.records == records && batch.changes.count == count)
                try await captured.owner.run("UPDATE items SET name = 'b' WHERE id > 1")
                batch = try await captured.read()
                #expect(batch.records == (count + 254) / 256 && batch.changes.count == count - 1)
                try await captured.owner.run("DELETE FROM items")
                batch = try await captured.read()
                #expect(batch.records == records && batch.changes.count == count)
            }
        }
    }

    /// Chunks hold the right old image beside each new one.
    @Test func imagesStayTogether() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            _ = try await captured.changes(
                of: "INSERT INTO items SELECT i, 'old' || i FROM generate_series(1, 1500) i")
            let expected = (1...1500).map {
                $0 % 3 == 0
                    ? "update items \($0), old\($0) -> \($0), null"
                    : "update items \($0), old\($0) -> \($0), new\($0)"
            }
            try await captured.expect(
                "UPDATE items SET name = CASE WHEN id % 3 > 0 THEN 'new' || id END", expected)
        }
    }

    /// Rows that look the same to the rules are recorded once.
    @Test func dedupe() async throws {
        let rules = "- {name: r, table: items, delete: {keys: ['k:{name}']}}"
        try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
            try await captured.expect(
                "INSERT INTO items SELECT i, 'n' || i % 3 FROM generate_series(1, 3000) i",
                ["insert items n0", "insert items n1", "insert items n2"])
            try await captured.expect(
                "UPDATE items SET n = 1", ["update items n0", "update items n1", "update items n2"])
            try await captured.expect(
                "UPDATE items SET name = 'same'",
                ["update items n0 -> same", "update items n1 -> same", "update items n2 -> same"])
            try await captured.expect("DELETE FROM items", ["delete items same"])
        }
    }

    /// The limit is of distinct rows that a rule cares about.
    @Test func tooManyRows() async throws {
        let rules =
            "- {name: r, table: items, columns: [name], where: new.n < 100, delete: {keys: ['k:{name}']}}"
        try await Captured.with(Self.tables, rules: rules, settings: .init(rowLimit: 20)) {
            (captured) async throws in
            try await captured.expect(
                "INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 20) i",
                (1...20).map { "insert items n\($0)" })
            try await captured.expect(
                "INSERT INTO items SELECT i, 'n' || i FROM generate_series(31, 51) i", ["any items"])
            let failures = try await captured.lastFailures()
            #expect(failures == [""], "it is no failure")
            try await captured.expect(
                "INSERT INTO items SELECT i, 'x' FROM generate_series(100, 900) i", ["insert items x"])
            try await captured.expect(
                "INSERT INTO items SELECT i, i, i FROM generate_series(1000, 1900) i", [])
            try await captured.expect("UPDATE items SET name = name || '!' WHERE id < 100", ["any items"])
            try await captured.expect("DELETE FROM items WHERE id < 51", ["any items"])
        }
    }

    /// More rows than the limit are first counted, those that fire; the limit is met by some, by none, and passed, and
    /// what raises an error while they are counted is a failure.
    @Test func countedFirst() async throws {
        let rules = """
            - {name: r, table: items, on: [insert, update], columns: [name], where: (new.n < 100) is not false, delete: {keys: ['k:{id}']}}
            - {name: d, table: items, on: [delete], where: (old.n < 100) is not false, delete: {keys: ['k:{id}']}}
            """
        try await Captured.with(Self.tables, rules: rules, settings: .init(rowLimit: 20)) {
            (captured) async throws in
            try await captured.expect(
                "INSERT INTO items SELECT i, 'a', i + 79 FROM generate_series(1, 50) i",
                (1...20).map { "insert items \($0)" })
            try await captured.expect(
                "UPDATE items SET name = 'b' WHERE id < 40", (1...20).map { "update items \($0)" })
            try await captured.expect("UPDATE items SET name = 'b'", [])
            try await captured.expect("UPDATE items SET n = n + 1000 WHERE id > 20", [])
            try await captured.expect("DELETE FROM items WHERE id > 20", [])
            try await captured.expect("INSERT INTO items SELECT i, 'a' FROM generate_series(21, 41) i", ["any items"])
            try await captured.expect("UPDATE items SET name = 'c' WHERE id <= 21", ["any items"])
            // A changed key is a delete and an insert.
            try await captured.expect("UPDATE items SET id = id + 100 WHERE id <= 11", ["any items"])
            try await captured.expect("DELETE FROM items", ["any items"])
            #expect(try await captured.lastFailures() == [""], "it is no failure")
        }
    }

    @Test func errorWhileCounting() async throws {
        let rules = "- {name: r, table: items, where: 1 / new.n > 0, delete: {keys: ['k:{id}']}}"
        try await Captured.with(Self.tables, rules: rules, settings: .init(rowLimit: 20)) {
            (captured) async throws in
            try await captured.expect(
                "INSERT INTO items SELECT i, 'a', 21 - i FROM generate_series(1, 21) i", ["any items"])
            #expect(try await captured.lastFailures() == ["division by zero"])
        }
    }

    /// A plan that was made for one row and kept must not take a bulk statement's time to the square.
    @Test(arguments: [true, false]) func fiftyThousandRowsAfterOne(withKey: Bool) async throws {
        let key = withKey ? "PRIMARY KEY (a, id)" : "CHECK (true)"
        let tables = "CREATE TABLE items (a int DEFAULT 1, id int, name text, \(key))"
        try await Captured.with(tables, rules: Self.rules) { (captured) async throws in
            let writer = captured.owner
            for i in 1...10 {
                try await writer.run("INSERT INTO items (id, name) VALUES (\(-i), 'a')")
                try await writer.run("UPDATE items SET name = 'b' WHERE id = \(-i)")
                try await writer.run("UPDATE items SET name = 'c' WHERE id IN (\(-i), -1)")
            }
            for i in 1...10 { try await writer.run("DELETE FROM items WHERE id = \(-i)") }
            _ = try await captured.read()
            let start = ContinuousClock.now
            try await writer.run(
                "INSERT INTO items (id, name) SELECT i, 'a' FROM generate_series(1, 50000) i")
            #expect(try await captured.read().changes.count == 50_000)
            try await writer.run("UPDATE items SET name = 'b' WHERE id <= \(withKey ? 50_000 : 25_000)")
            #expect(try await captured.read().changes.count == 50_000)
            try await writer.run("DELETE FROM items")
            #expect(try await captured.read().changes.count == 50_000)
            #expect(ContinuousClock.now - start < .seconds(20))
            let failures = try await captured.failures()
            #expect(failures == [])
        }
    }
}
