/// An entry that is loaded anew when a change makes it stale.
public struct Rewarm: Sendable {
    /// Where the new value comes from.
    public enum Loader: Sendable {
        /// The only column of the only row of a query; no row, or null: delete.
        case sql(SQLTemplate)
        /// The body of a response. Header values are templates too.
        case http(url: Template, headers: [(name: String, value: Template)])
    }

    /// Which entries are worth the work.
    public enum Condition: String, Sendable, CaseIterable {
        /// All.
        case always
        /// Those that are cached now.
        case exists
        /// Those that were read lately.
        case hot
    }

    /// The entry's key.
    public let key: Template
    /// Where its value comes from.
    public let loader: Loader
    /// How long the new entry lives; nil where the application stores it.
    public let ttl: Duration?
    /// How many percent the time to live is varied by, so that entries don't expire at once.
    public let jitter: Int
    /// Which entries are loaded; the others are deleted.
    public let when: Condition
    /// A larger value is not stored.
    public let maxBytes: Int?
    /// Not loaded by then: delete.
    public let deadline: Duration?
    /// Whether the application stores the entry itself while it answers.
    public let touch: Bool

    var sql: SQLTemplate? { if case .sql(let sql) = loader { sql } else { nil } }

    var templates: [Template] {
        switch loader {
        case .sql: [key]
        case .http(let url, let headers): [key, url] + headers.map(\.value)
        }
    }
}
