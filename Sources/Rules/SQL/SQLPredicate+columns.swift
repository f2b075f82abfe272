extension SQLPredicate {
    /// Which of these columns an expression over `old` and `new` may look at: at least all that it does.
    package static func columns(among names: [String], in sql: String) -> [String] {
        guard let scan = try? SQLScanner(sql), !scan.mentionsWholeRow else { return names }
        return names.filter(scan.words.contains)
    }
}
