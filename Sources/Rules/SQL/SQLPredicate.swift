/// A rule's `where`: an SQL expression over the rows `old` and `new`, evaluated in Postgres.
public struct SQLPredicate: Sendable {
    /// The expression, trimmed and with each comment replaced by a space, so that it can be put in parentheses.
    public let sql: String
    /// Where the expression begins.
    public let location: FilePosition

    /// Which of these columns an expression over `old` and `new` may look at: at least all that it does.
    package static func columns(among names: [String], in sql: String) -> [String] {
        guard let scan = try? SQLScanner(sql), !scan.mentionsWholeRow else { return names }
        return names.filter(scan.words.contains)
    }

    /// Whether an expression has this column's name in it. What it looks at by way of a whole row is not known.
    package static func mentions(_ column: String, in sql: String) -> Bool {
        (try? SQLScanner(sql))?.words.contains(column) ?? false
    }

    static func parse(_ source: String, locate: (Int) -> FilePosition) throws(TemplateError) -> SQLPredicate {
        let scan = try SQLScanner(source)
        if let (column, offset) = scan.parameters.first {
            let message =
                "':\(column)': 'where' has no parameters; write old.\(column.name) or new.\(column.name)"
            throw TemplateError(message: message, offset: offset)
        }
        guard !scan.tokens.isEmpty else { throw TemplateError(message: "'where' is empty", offset: 0) }
        return SQLPredicate(sql: scan.sql, location: locate(0))
    }
}
