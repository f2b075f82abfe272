/// Keys of one shape.
public struct KeyFamily: Hashable, Sendable {
    /// How people read the shape: `user:{n}:cart`, `session:{hash}`, `by-email:*`.
    public let shape: String
    /// What matches every key of the family, and perhaps others.
    public let pattern: Pattern
    /// How many keys there are.
    public let count: Int
    /// The first of them in the order of their bytes, cut off after some hundred.
    public let example: Key
}
