/// A `{column|filter|filter:argument}` in a template.
public struct Placeholder: Sendable, CustomStringConvertible {
    /// The column that it stands for.
    public let column: ImageColumn
    /// What is done to the column's value, in order.
    public let filters: [Filter]
    /// Where its column is named.
    public let location: FilePosition

    /// What it puts into a key for a column's value; nil skips the key.
    func fill(_ value: ArraySlice<UInt8>?) -> [UInt8]? {
        filters.reduce(value.map(Array.init)) { $1.apply($0) }
    }

    /// What stands between the braces.
    public var description: String {
        ([column.description] + filters.map(\.description)).joined(separator: "|")
    }
}
