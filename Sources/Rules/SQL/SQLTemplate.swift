/// A query with `:column` parameters: a rule's `lookup` or a loader's `sql`.
///
/// `:column` stands for the old and the new value in turn, `:old.column` and `:new.column` choose, and
/// `:"Column Name"` names what is no plain identifier. `::type`, `:=` and slices (`[1:2]`) are left alone.
public struct SQLTemplate: Sendable {
    /// The columns that are bound, each once, in the order of their first use.
    public let parameters: [ImageColumn]
    /// Where the query begins.
    public let location: FilePosition
    /// Every place where a column is used.
    let uses: [Located<ImageColumn>]
    private let pieces: [SQLScanner.Piece]

    /// The query, with `parameter(i)` in place of `parameters[i]`. It has balanced parentheses, no comment and
    /// no `;`, so it can stand in parentheses.
    public func render(_ parameter: (Int) -> String) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .parameter(let column): parameters.firstIndex(of: column).map(parameter) ?? ""
            }
        }.joined()
    }

    static func parse(_ source: String, locate: (Int) -> FilePosition) throws(TemplateError) -> SQLTemplate {
        try parse(source, openings: ["SELECT", "WITH", "VALUES", "TABLE"], locate: locate)
    }

    /// A loader's query.
    static func parseSelect(_ source: String, locate: (Int) -> FilePosition) throws(TemplateError)
        -> SQLTemplate
    {
        try parse(source, openings: ["SELECT", "WITH"], locate: locate)
    }

    private static func parse(
        _ source: String, openings: [String], locate: (Int) -> FilePosition
    ) throws(TemplateError) -> SQLTemplate {
        let scan = try SQLScanner(source)
        guard let first = scan.tokens.first, first.kind == .word,
            openings.contains(first.name.uppercased())
        else {
            let names = openings.dropLast().joined(separator: ", ") + " or " + (openings.last ?? "")
            throw TemplateError(message: "a query begins with \(names)", offset: 0)
        }
        var parameters: [ImageColumn] = []
        for (column, _) in scan.parameters where !parameters.contains(column) { parameters.append(column) }
        return SQLTemplate(
            parameters: parameters, location: locate(0),
            uses: scan.parameters.map { Located($0.column, locate($0.offset)) }, pieces: scan.pieces)
    }
}
