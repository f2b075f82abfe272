/// A loader's query as one statement for a whole batch of entries.
///
/// The parameters are bound as one `text[]` each and cast to their columns' types; the loader's own query runs
/// for each tuple of them, and gives one value.
public struct LoaderStatement: Sendable, Hashable {
    /// Takes a `text[]` for each parameter. A row of the result is the number of the tuple, from 1, the length of
    /// the value in bytes, and the value as a `bytea` where it is not too long. There is no row, or a null, where
    /// the query gave none.
    public let sql: String
    /// How many arrays are to be bound: at least one, which counts the entries where there is no parameter.
    public let arrayCount: Int
    /// The loader's query with a null for each parameter: for asking the server about it.
    public let bareSQL: String

    /// The statement of an entry; nil where it is not loaded by a query.
    ///
    /// - Parameter type: The SQL type of a column that the query has as a parameter.
    public init?(_ rewarm: Rewarm, type: (ImageColumn) -> String) {
        guard let query = rewarm.sql else { return nil }
        arrayCount = max(1, query.parameters.count)
        let arrays = (1...arrayCount).map { "$\($0)::text[]" }.joined(separator: ", ")
        let names = (1...arrayCount).map { "p\($0)" }.joined(separator: ", ")
        bareSQL = query.render { "(NULL::\(type(query.parameters[$0])))" }
        // LIMIT and OFFSET keep the planner from evaluating the value once for each place where it is named.
        sql = """
            SELECT input.number, octet_length(value.bytes),
                CASE WHEN octet_length(value.bytes) <= \(rewarm.maxBytes) THEN value.bytes END
            FROM unnest(\(arrays)) WITH ORDINALITY AS input(\(names), number)
            CROSS JOIN LATERAL (SELECT result.value FROM (
            \(query.render { "(input.p\($0 + 1)::\(type(query.parameters[$0])))" })
            ) AS result(value) LIMIT 1) AS loaded
            CROSS JOIN LATERAL (
                SELECT CASE WHEN pg_typeof(loaded.value) = 'bytea'::regtype
                    THEN decode(substr(loaded.value::text, 3), 'hex')
                    ELSE convert_to(loaded.value::text, 'UTF8') END OFFSET 0
            ) AS value(bytes)
            """
    }
}
