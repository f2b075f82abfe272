import Rules
import Testing

@testable import Capture

/// Which tables' writes no rule is about.
@Suite struct WrittenTablesTests {
    /// 1 is partitioned into 2 and 3, and 3 into 4; 6 inherits from 5 and from 7.
    private static let tables = WrittenTables(
        [
            1: .init(name: TableName(name: "whole"), writes: 0), 2: .init(name: TableName(name: "part"), writes: 5),
            3: .init(name: TableName(name: "parts"), writes: 0), 4: .init(name: TableName(name: "leaf"), writes: 7),
            5: .init(name: TableName(name: "parent"), writes: 11), 6: .init(name: TableName(name: "child"), writes: 13),
            7: .init(name: TableName(name: "mother"), writes: 0), 8: .init(name: TableName(name: "alone"), writes: 17),
        ],
        links: [
            .init(child: 2, parent: 1, isPartition: true), .init(child: 3, parent: 1, isPartition: true),
            .init(child: 4, parent: 3, isPartition: true), .init(child: 6, parent: 5, isPartition: false),
            .init(child: 6, parent: 7, isPartition: false),
        ])

    @Test(arguments: [
        ([], ["whole": 12, "parent": 11, "child": 13, "alone": 17]),
        (["whole", "alone"], ["parent": 11, "child": 13]),
        (["parts"], ["whole": 5, "parent": 11, "child": 13, "alone": 17]),
        (["leaf", "mother"], ["whole": 5, "parent": 11, "alone": 17]), (["parent"], ["whole": 12, "alone": 17]),
        (["child", "part", "missing"], ["whole": 7, "parent": 11, "alone": 17]),
    ])
    func unnamed(named: [String], expected: [String: Int]) {
        let writes = Self.tables.writes(without: Set(named.map { TableName(name: $0) }))
        #expect(writes.map { "\($0.key.name) \($0.value)" }.sorted() == expected.map { "\($0) \($1)" }.sorted())
    }

    @Test(arguments: [("whole", 12), ("parts", 7), ("parent", 24), ("child", 13), ("mother", 13), ("missing", 0)])
    func withPartitions(table: String, writes: Int) {
        #expect(Self.tables.writes(to: TableName(name: table)) == writes)
    }

    @Test func concerned() {
        let named: Set = [TableName(name: "parts"), TableName(name: "missing")]
        let concerned = ["whole", "part", "parts", "leaf", "missing", "other"].filter {
            Self.tables.concerns(TableName(name: $0), named)
        }
        #expect(concerned == ["parts", "leaf", "missing"])
    }
}
