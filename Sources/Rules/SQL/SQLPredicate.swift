/// A rule's `where`: an SQL expression over the rows `old` and `new`, evaluated in Postgres.
public struct SQLPredicate: Sendable {
    /// The expression, trimmed and with each comment replaced by a space, so that it can be put in parentheses.
    public let sql: String
    /// Every word outside of quotes, folded to lower case as Postgres does, and every quoted identifier: at
    /// least all names that the expression uses.
    public let words: Set<String>
    /// Whether a row is used as a whole (`new`, `to_jsonb(new)`, `old.*`), so that `words` says nothing about
    /// its columns. It may be true of an expression that doesn't.
    public let mentionsWholeRow: Bool
    /// Where the expression begins.
    public let location: FilePosition

    /// Whether it may look at the row before the change.
    public var mentionsOld: Bool { words.contains("old") }
    /// Whether it may look at the row after the change.
    public var mentionsNew: Bool { words.contains("new") }

    static func parse(_ source: String, locate: (Int) -> FilePosition) throws(TemplateError) -> SQLPredicate {
        let scan = try SQLScanner(source)
        if let (column, offset) = scan.parameters.first {
            let message =
                "':\(column)': 'where' has no parameters; write old.\(column.name) or new.\(column.name)"
            throw TemplateError(message: message, offset: offset)
        }
        guard !scan.tokens.isEmpty else { throw TemplateError(message: "'where' is empty", offset: 0) }
        return SQLPredicate(
            sql: scan.sql, words: scan.words, mentionsWholeRow: scan.mentionsWholeRow, location: locate(0))
    }
}
