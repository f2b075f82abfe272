import Postgres
import Rules

extension Catalog {
    /// The statements of a rule's loaders, by their number in the rule. What a lookup's column is, is asked of the
    /// server.
    func loaders(
        of rule: Rule, on shape: TableShape, lookup: LookupStatement?
    ) async throws(PostgresError) -> [Int: LoaderStatement] {
        let queries = rule.rewarm.compactMap(\.sql)
        guard !queries.isEmpty else { return [:] }
        let types = shape.types
        var found: [String: String] = [:]
        if let lookup {
            let names = Set(queries.flatMap(\.parameters).filter { $0.side == .either }.map(\.name))
            found = try await resultTypes(of: names.sorted(), in: lookup, doing: "asking for a lookup's types")
        }
        var loaders: [Int: LoaderStatement] = [:]
        for (number, rewarm) in rule.rewarm.enumerated() {
            loaders[number] = LoaderStatement(rewarm) { column in
                let isFound = lookup != nil && column.side == .either
                return (isFound ? found[column.name] : types[column.name]) ?? "text"
            }
        }
        return loaders
    }

    /// The types of columns of a lookup's result, asked without a row of it.
    private func resultTypes(
        of columns: [String], in lookup: LookupStatement, doing: String
    ) async throws(PostgresError) -> [String: String] {
        guard !columns.isEmpty else { return [:] }
        // Without a modifier: `character` in a cast is one character, and its name in full is `bpchar`.
        let list = columns.map { "format_type(pg_typeof(result.\(SQL.identifier($0))), -1)" }.joined(separator: ", ")
        let rows = try await connection.query(
            "SELECT \(list) FROM (SELECT) AS one LEFT JOIN (\n\(lookup.bareSQL)\n) AS result ON false",
            doing: doing)
        guard let row = rows.first else { return [:] }
        return Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, row.text($0) ?? "text") })
    }
}
