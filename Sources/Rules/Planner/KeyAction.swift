/// What is done with a key, besides deleting it and loading it anew.
public enum KeyAction: Hashable, Sendable {
    /// The key is a tag's: what is filed under it is deleted, and then the tag.
    case emptyTag
    /// The entry lives for that long at most, from when it is done. Its time to live never becomes longer.
    case expire(Duration)
    /// The number in it grows by one.
    case bump

    /// Whether it is done once more for readers that store what they read before the change. Who has read a counter
    /// before stores under what it was.
    var isRepeated: Bool { self != .bump }
}

extension KeyAction: CustomStringConvertible {
    /// The word for it in tests of rules and for people.
    public var description: String {
        switch self {
        case .emptyTag: "tag"
        case .expire: "expire"
        case .bump: "bump"
        }
    }
}
