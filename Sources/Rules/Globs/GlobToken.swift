/// What one element of a glob matches.
enum GlobToken: Hashable, Sendable {
    /// This byte.
    case byte(UInt8)
    /// Any one byte.
    case any
    /// Any one byte of a set.
    case set(ByteSet)
    /// Any bytes, none included. Two never follow each other.
    case star

    /// Whether it matches this one byte.
    func matches(_ byte: UInt8) -> Bool {
        switch self {
        case .byte(let own): own == byte
        case .any: true
        case .set(let set): set.contains(byte)
        case .star: false
        }
    }
}
