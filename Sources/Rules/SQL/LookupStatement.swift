/// A rule's lookup as one statement for a whole batch of changes.
///
/// The parameters are bound as one `text[]` each and cast to the types of the table's columns; the rule's own
/// query runs for each tuple of them.
public struct LookupStatement: Sendable {
    /// Takes a `text[]` for each parameter. The first column of the result is the number of the tuple, from 1.
    public let sql: String
    /// How many arrays are to be bound: at least one, which counts the calls where there is no parameter.
    public let arrayCount: Int
    /// The rule's query with a null for each parameter: for asking the server about it.
    public let bareSQL: String

    /// The lookup of a rule on a table whose columns have these types, as SQL; nil where the rule has none.
    public init?(rule: Rule, types: [String: String]) {
        guard let lookup = rule.lookup else { return nil }
        func type(_ index: Int) -> String { types[lookup.parameters[index].name] ?? "text" }
        arrayCount = max(1, lookup.parameters.count)
        let query = lookup.render { "(input.p\($0 + 1)::\(type($0)))" }
        bareSQL = lookup.render { "(NULL::\(type($0)))" }
        let arrays = (1...arrayCount).map { "$\($0)::text[]" }.joined(separator: ", ")
        let names = (1...arrayCount).map { "p\($0)" }.joined(separator: ", ")
        sql = """
            SELECT input.number, result.*
            FROM unnest(\(arrays)) WITH ORDINALITY AS input(\(names), number)
            CROSS JOIN LATERAL (
            \(query)
            ) AS result
            """
    }
}
