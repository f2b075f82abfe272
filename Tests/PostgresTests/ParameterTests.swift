import Postgres
import TestSupport
import Testing

@Suite struct ParameterTests {
    private static let texts = [
        "", "plain", "'", "''", "\"", "\\", "\\\\'\"", "{", "}", "{}", "{a,b}", "NULL", "null", ",", " ",
        "\n", "\t", "$1", ":name", "é", "日本", "👩‍👩‍👧", "e\u{301}", String(repeating: "x", count: 100_000),
    ]

    @Test func textNullAndBytes() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        for text in Self.texts {
            #expect(try await connection.value("SELECT $1::text", [.text(text)]) == text)
            #expect(try await connection.value("SELECT $1::text", [.bytes(Array(text.utf8))]) == text)
        }
        let nulls = try await connection.query(
            "SELECT $1::text, $2::text IS NULL, $3::text IS NULL", ["", nil, .null], doing: "test")
        let row = try #require(nulls.first)
        #expect(row.bytes(0)?.isEmpty == true && row.bool(1) && row.bool(2))
        #expect(
            try await connection.value("SELECT ($1::int8 + 1)::text", [.integer(Int64.max - 1)])
                == "\(Int64.max)")
        #expect(
            try await connection.value("SELECT $1::numeric::text", [.integer(UInt64.max)]) == "\(UInt64.max)")
    }

    @Test func arraysOfText() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let elements = Self.texts.map { Optional(Array($0.utf8)) } + [nil]
        let rows = try await connection.query(
            "SELECT element FROM unnest($1::text[]) WITH ORDINALITY AS a(element, place) ORDER BY place",
            [.texts(elements)], doing: "test")
        #expect(rows.map { $0.bytes(0).map { Array($0) } } == elements)
        #expect(try await connection.value("SELECT cardinality($1)::text", [.texts([])]) == "0")
        #expect(try await connection.value("SELECT array_ndims($1)::text", [.texts([nil])]) == "1")
    }

    @Test func whatIsNotTextIsRefused() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        for parameter in [Parameter.bytes([0xFF]), .texts([[0xC3, 0x28]]), .texts([[0]])] {
            let error = try await failure {
                _ = try await connection.value("SELECT $1::text[]::text", [parameter])
            }
            #expect(error.sqlState == "22021" || error.sqlState == "22P02", "\(error)")
        }
        #expect(try await connection.value("SELECT 'still here'") == "still here")
    }

    @Test func manyParameters() async throws {
        let connection = try await PostgresConnection.toSharedServer()
        let sum = (1...1000).map { "$\($0)::int" }.joined(separator: " + ")
        #expect(try await connection.value("SELECT \(sum)", (1...1000).map { .integer($0) }) == "500500")
    }
}
