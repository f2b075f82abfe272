/// Cuts a glob into tokens as Redis' `stringmatchlen` reads it, its oddities included:
/// - a backslash at the end stands for itself;
/// - `[` without `]` is a set up to the end, and `[]` is the empty set;
/// - `]` may end a range (`[a-]`), so that the set goes on behind it;
/// - a range's ends may be swapped, and are compared as signed bytes, as C's `char` is on x86.
struct GlobLexer {
    private(set) var tokens: [GlobToken] = []
    /// Whether the end came inside of a set or behind a backslash: Redis accepts that, people don't mean it.
    private(set) var isUnterminated = false
    private var rest: ArraySlice<UInt8>

    init(_ glob: some Sequence<UInt8>) {
        rest = ArraySlice(glob)
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"):
                if tokens.last != .star { tokens.append(.star) }
            case UInt8(ascii: "?"):
                tokens.append(.any)
            case UInt8(ascii: "["):
                tokens.append(.set(readSet()))
            case UInt8(ascii: "\\"):
                isUnterminated = rest.isEmpty
                tokens.append(.byte(rest.popFirst() ?? byte))
            default:
                tokens.append(.byte(byte))
            }
        }
    }

    /// Reads what follows a `[`.
    private mutating func readSet() -> ByteSet {
        var set = ByteSet()
        let isInverted = rest.first == UInt8(ascii: "^")
        if isInverted { rest.removeFirst() }
        isUnterminated = true
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                set.insert(escaped)
            } else if byte == UInt8(ascii: "]") {
                isUnterminated = false
                break
            } else if rest.count >= 2, rest.first == UInt8(ascii: "-") {
                insertRange(from: byte, to: rest[rest.startIndex + 1], into: &set)
                rest.removeFirst(2)
            } else {
                set.insert(byte)
            }
        }
        if isInverted { set.invert() }
        return set
    }

    private func insertRange(from first: UInt8, to last: UInt8, into set: inout ByteSet) {
        let (first, last) = (Int8(bitPattern: first), Int8(bitPattern: last))
        for byte in min(first, last)...max(first, last) { set.insert(UInt8(bitPattern: byte)) }
    }
}
