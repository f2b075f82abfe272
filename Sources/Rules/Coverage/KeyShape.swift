/// A key cut into steps, in which what varies from key to key is written as what it is: `user:42:cart` is `user`,
/// `:{n}`, `:cart`. A value without I/O.
struct KeyShape {
    /// A part of a key, with the separator before it.
    struct Step: Hashable {
        /// `:`, `/` and the like; nil: the key begins here.
        var separator: UInt8?
        /// What stands for the text: the text itself, or what it was generalized to.
        var word: Word
        /// Whether the key ends here.
        var isLast: Bool
    }

    /// A step's text.
    enum Word: Hashable {
        /// Text in which only numbers and the like are generalized: `item-{n}`.
        case named([UInt8])
        /// A text that says nothing but which one it is.
        case number, hash, token, uuid
        /// Anything, to the end of the key where it is the last step.
        case any
    }

    let steps: [Step]

    /// The shape of a key; what lies deeper than so many steps is any text.
    init(_ key: [UInt8], depth: Int = maximumDepth) {
        let readable = Self.readablePrefix(of: key)
        var steps: [Step] = []
        var separator: UInt8?
        var start = 0
        var isCut = false
        for index in readable.indices where Self.separators.contains(readable[index]) {
            // Nothing before the first separator is no step of its own.
            if separator != nil || index > start {
                steps.append(Step(separator: separator, word: Word(readable[start..<index]), isLast: false))
            }
            separator = readable[index]
            start = index + 1
            isCut = steps.count + 1 >= depth
            if isCut { break }
        }
        let isReadable = readable.count == key.count && !isCut
        let word = isReadable ? Word(readable[start...]) : .any
        steps.append(Step(separator: separator, word: word, isLast: true))
        self.steps = steps
    }

    /// Beyond so many steps no name tells families apart.
    static let maximumDepth = 12
    /// A longer text is no name.
    static let maximumNameLength = 64

    /// What of a key is text: the rest of a key that is not, is any.
    private static func readablePrefix(of key: [UInt8]) -> ArraySlice<UInt8> {
        let control = key.firstIndex { $0 < 0x20 || $0 == 0x7f } ?? key.endIndex
        if key[..<control].allSatisfy({ $0 < 0x80 }) { return key[..<control] }
        if String(validating: key, as: UTF8.self) != nil { return key[..<control] }
        return key[..<min(control, key.firstIndex { $0 >= 0x80 } ?? control)]
    }

    private static let separators = ByteSet(":/|?&=#,; (){}[]<>\"'!$*\\^`".utf8)
}

extension KeyShape.Word {
    /// What a text between two separators is.
    init(_ text: ArraySlice<UInt8>) {
        self =
            if let whole = Self.variable(text) {
                whole
            } else if text.count > KeyShape.maximumNameLength {
                .any
            } else {
                .named(Self.generalized(text))
            }
    }

    /// How people read it.
    var label: [UInt8] {
        switch self {
        case .named(let text): text
        case .number: Array("{n}".utf8)
        case .hash: Array("{hash}".utf8)
        case .token: Array("{id}".utf8)
        case .uuid: Array("{uuid}".utf8)
        case .any: Array("*".utf8)
        }
    }

    /// Whether it is a text of its own, and not one of many of a kind.
    var isNamed: Bool { if case .named = self { true } else { false } }

    /// Whether it is a name that a hash could be, one in some thousand.
    var isLikeAHash: Bool {
        guard case .named(let text) = self else { return false }
        return text.count >= 8 && text.allSatisfy(\.isHexDigit)
    }

    /// What a text is that stands for one of very many; nil: perhaps a name.
    private static func variable(_ text: ArraySlice<UInt8>) -> Self? {
        guard let first = text.first else { return nil }
        if first.isDigit, text.allSatisfy(\.isDigit) { return .number }
        if isUUID(text) { return .uuid }
        guard text.count >= 8, text.allSatisfy(\.isOfToken) else { return nil }
        if text.allSatisfy(\.isHexDigit) {
            let hasBoth = text.contains(where: \.isDigit) && text.contains { !$0.isDigit }
            if hasBoth || text.count >= 16 { return .hash }
        }
        return isRandom(text) ? .token : nil
    }

    /// A name whose parts may be numbers and the like: `item-42` is `item-{n}`, `2024-01-31` is `{n}-{n}-{n}`.
    private static func generalized(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.contains(where: \.isDigit) else { return Array(text) }
        var result: [UInt8] = []
        for part in text.split(omittingEmptySubsequences: false, whereSeparator: \.isJoint) {
            if part.startIndex > text.startIndex { result.append(text[part.startIndex - 1]) }
            result += variable(part)?.label ?? Array(part)
        }
        return result
    }

    private static func isUUID(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.count == 36 else { return false }
        return zip(0..., text).allSatisfy { [8, 13, 18, 23].contains($0) ? $1 == UInt8(ascii: "-") : $1.isHexDigit }
    }

    /// Whether letters and digits follow each other as chance has it: in words they don't change places so often.
    private static func isRandom(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.count >= 16, text.contains(where: \.isDigit) else { return false }
        let changes = zip(text, text.dropFirst()).count { $0.tokenClass != $1.tokenClass }
        return changes * 10 >= text.count * 3
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    fileprivate var isLower: Bool { self >= 0x61 && self <= 0x7a }
    fileprivate var isUpper: Bool { self >= 0x41 && self <= 0x5a }
    fileprivate var isHexDigit: Bool { isDigit || self >= 0x61 && self <= 0x66 || self >= 0x41 && self <= 0x46 }
    /// What joins the words of a name.
    fileprivate var isJoint: Bool {
        self == UInt8(ascii: "-") || self == UInt8(ascii: "_") || self == UInt8(ascii: ".")
    }
    /// The alphabet of base64url.
    fileprivate var isOfToken: Bool {
        isDigit || isLower || isUpper || self == UInt8(ascii: "-") || self == UInt8(ascii: "_")
    }
    fileprivate var tokenClass: Int { isDigit ? 0 : isLower ? 1 : isUpper ? 2 : 3 }
}

extension ByteSet {
    fileprivate init(_ bytes: some Sequence<UInt8>) {
        self.init()
        for byte in bytes { insert(byte) }
    }
}
