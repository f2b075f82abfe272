public import Rules

/// The tables that were written to, and how they hang together. A value.
public struct WrittenTables: Sendable {
    /// A table and its statistics.
    struct Table: Sendable, Equatable {
        var name: TableName
        var writes: Int
    }

    /// A table that inherits from another.
    struct Link: Sendable, Equatable {
        var child: UInt32
        var parent: UInt32
        var isPartition: Bool
    }

    private let tables: [UInt32: Table]
    private let parents: [UInt32: [Link]]
    private let ids: [TableName: UInt32]

    init(_ tables: [UInt32: Table], links: [Link]) {
        self.tables = tables
        parents = Dictionary(grouping: links, by: \.child)
        ids = Dictionary(tables.map { ($1.name, $0) }) { $1 }
    }

    /// How many rows were inserted, updated and deleted in tables that rules about these don't concern. What was
    /// written to a partition counts for its table, unless that one is named.
    public func writes(without named: Set<TableName>) -> [TableName: Int] {
        var writes: [TableName: Int] = [:]
        for (id, table) in tables where !concerns(id, named) {
            writes[tables[root(of: id)]?.name ?? table.name, default: 0] += table.writes
        }
        return writes.filter { $0.value > 0 }
    }

    /// The writes to a table and its partitions.
    public func writes(to table: TableName) -> Int {
        guard let wanted = ids[table] else { return 0 }
        return tables.reduce(0) { $0 + (ancestry(of: $1.key).contains(wanted) ? $1.value.writes : 0) }
    }

    /// Whether a rule about one of these is about the table too, by inheritance.
    public func concerns(_ table: TableName, _ named: Set<TableName>) -> Bool {
        ids[table].map { concerns($0, named) } ?? named.contains(table)
    }

    private func concerns(_ id: UInt32, _ named: Set<TableName>) -> Bool {
        ancestry(of: id).contains { tables[$0].map { named.contains($0.name) } ?? false }
    }

    /// A table and all that it inherits from.
    private func ancestry(of id: UInt32) -> Set<UInt32> {
        var all: Set<UInt32> = [id]
        var next = [id]
        while let id = next.popLast() {
            for link in parents[id] ?? [] where all.insert(link.parent).inserted { next.append(link.parent) }
        }
        return all
    }

    /// The table that a partition is part of.
    private func root(of id: UInt32) -> UInt32 {
        var id = id
        while let link = parents[id]?.first, link.isPartition { id = link.parent }
        return id
    }
}
