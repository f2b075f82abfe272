import Rules

/// Which keys of a deletion are fenced.
enum Fencing {
    case none
    /// Those in the set.
    case these(Set<Key>)
    case all

    /// These keys, or none when the set is empty, which then nobody looks into.
    init(_ keys: Set<Key>) { self = keys.isEmpty ? .none : .these(keys) }
}
