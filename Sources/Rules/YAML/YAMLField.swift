/// A value with the name that messages give it.
struct YAMLField: Sendable {
    /// `'keys'`, or `an item of 'keys'`.
    let label: String
    /// Where the key stands; of an item, where it begins itself.
    let location: FilePosition
    let value: YAMLNode
}

/// The values of a mapping by their keys.
struct YAMLFields: Sendable {
    /// What the mapping is: `a rule`.
    let what: String
    let location: FilePosition
    /// The keys as they stand in the file, in order.
    let keys: [YAMLScalar]
    private let fields: [String: YAMLField]

    init(_ pairs: [(key: YAMLScalar, value: YAMLNode)], what: String, location: FilePosition) {
        self.what = what
        self.location = location
        keys = pairs.map(\.key)
        let named = pairs.map { key, value in
            (key.text, YAMLField(label: "'\(key.text)'", location: key.location, value: value))
        }
        fields = Dictionary(named) { first, _ in first }
    }

    subscript(key: String) -> YAMLField? { fields[key] }
}
