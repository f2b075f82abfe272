/// A test in a rules file: given a change, expect these keys.
struct RuleTest: Sendable {
    /// A row as a test gives it: text, or nil for null.
    typealias Row = [String: String?]

    let name: Located<String>
    let table: TableName
    let kind: Change.Kind
    let old: Row?
    let new: Row?
    /// What the `where` of a rule says of the change; what is not here says yes.
    let predicates: [String: Bool]
    /// The rows that a rule's lookup returns.
    let lookups: [String: [Row]]
    let keys: [String]
    let patterns: [String]
    let rewarms: [String]
    let tags: [String]
    let expirations: [String]
    let counters: [String]
    let publications: [String]
}
