import Postgres
import TestSupport
import Testing

@Suite struct ResultTests {
    @Test func binaryResults() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let rows = try await connection.query(
            """
            SELECT 1::int2, -2::int4, 9223372036854775807::int8, 'x'::"char", NULL::int4, '18446744073709551615'::xid8,
                '\\x00ff'::bytea, 'text', 4294967295::oid
            """, binary: true, doing: "test")
        let row = try #require(rows.first)
        #expect(row.count == 9 && rows.count == 1)
        #expect(row.binaryInteger(0, as: Int16.self) == 1)
        #expect(row.binaryInteger(1, as: Int32.self) == -2)
        #expect(row.binaryInteger(2, as: Int64.self) == .max)
        #expect(row.bytes(3).map { Array($0) } == Array("x".utf8))
        #expect(row.binaryInteger(4, as: Int32.self) == nil)
        #expect(row.binaryInteger(5, as: UInt64.self) == .max)
        #expect(row.bytes(6).map { Array($0) } == [0, 255])
        #expect(row.text(7) == "text")
        #expect(row.binaryInteger(8, as: UInt32.self) == .max)
    }

    @Test func textResults() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let rows = try await connection.query(
            "SELECT i AS number, NULLIF(i, 2) AS \"Not Two\", i > 1 AS large FROM generate_series(1, 3) AS i",
            doing: "test")
        #expect(rows.columns == ["number", "Not Two", "large"])
        #expect(rows.map { $0.int(0) } == [1, 2, 3])
        #expect(rows.map { $0.text(1) } == ["1", nil, "3"])
        #expect(rows.map { $0.bool(2) } == [false, true, true])
    }

    @Test func largeResults() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let rows = try await connection.query(
            "SELECT i, repeat('x', i % 200) FROM generate_series(1, 200000) AS i", doing: "test")
        #expect(rows.count == 200_000)
        #expect(rows.allSatisfy { row in row.bytes(1)?.count == (row.int(0) ?? 0) % 200 })
        #expect(try await connection.value("SELECT repeat('y', 30000000)")?.utf8.count == 30_000_000)
    }

    @Test func scriptsAndCounts() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let last = try await connection.script("SELECT 1; SELECT 2 AS two", doing: "test")
        #expect(last.columns == ["two"] && last.first?.int(0) == 2)
        try await connection.script("CREATE TEMPORARY TABLE t (i int)", doing: "test")
        let insert = try await connection.query("INSERT INTO t SELECT generate_series(1, 7)", doing: "test")
        #expect(insert.affected == 7 && insert.isEmpty)
        #expect(try await connection.script("", doing: "test").isEmpty)
    }

    @Test func preparedStatementsArePreparedOnce() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        for i in 1...20 {
            let rows = try await connection.query(
                "SELECT $1::int * 2", [.integer(i)], prepared: true, doing: "test")
            #expect(rows.first?.int(0) == i * 2)
        }
        _ = try await failure {
            _ = try await connection.query("SELECT no_such_column", prepared: true, doing: "test")
        }
        _ = try await connection.query("SELECT 2", prepared: true, doing: "test")
        #expect(try await connection.value("SELECT count(*) FROM pg_prepared_statements") == "2")
    }
}
