/// A JSON value as its bytes, looked into without decoding it: its numbers keep all their digits. What is not asked for
/// is hardly looked at; whoever reads the value itself finds out whether it is well-formed.
struct JSONText: Sendable, Equatable {
    let bytes: ArraySlice<UInt8>

    /// A text that is one value and nothing else; nil where it is not.
    init?(_ text: [UInt8]) {
        var scanner = JSONScanner(text[...])
        guard let value = scanner.value(), scanner.isAtEnd else { return nil }
        self = value
    }

    init(bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var isNull: Bool { bytes.elementsEqual("null".utf8) }

    /// The string; nil where the value is none.
    var string: String? {
        var scanner = JSONScanner(bytes)
        return scanner.string()
    }

    /// The value as an object; nil where it is none, or is malformed.
    var object: JSONObject? {
        var scanner = JSONScanner(bytes)
        return scanner.members().map { JSONObject(text: self, members: $0) }
    }
}

/// A JSON object, taken apart once.
struct JSONObject: Sendable {
    let text: JSONText
    /// In order.
    let members: [(name: String, value: JSONText)]

    /// The member of this name, the last of several, as Postgres has it.
    subscript(name: String) -> JSONText? { members.last { $0.name == name }?.value }
}

/// Reads JSON from the front. It never recurses, so no nesting is too deep.
private struct JSONScanner {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// Whether nothing but white space is left.
    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return position == bytes.endIndex
        }
    }

    /// The next value, whole.
    mutating func value() -> JSONText? {
        skipSpace()
        let start = position
        guard let first = peek else { return nil }
        let isWhole =
            switch first {
            case UInt8(ascii: "\""): skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["): skipBrackets()
            default: skipWord()
            }
        return isWhole ? JSONText(bytes: bytes[start..<position]) : nil
    }

    mutating func members() -> [(name: String, value: JSONText)]? {
        guard take("{") else { return nil }
        var members: [(name: String, value: JSONText)] = []
        if take("}") { return members }
        repeat {
            skipSpace()
            guard let name = string(), take(":"), let value = value() else { return nil }
            members.append((name, value))
        } while take(",")
        return take("}") ? members : nil
    }

    mutating func string() -> String? {
        let start = position
        guard peek == UInt8(ascii: "\""), skipString() else { return nil }
        let inner = bytes[start + 1..<position - 1]
        guard inner.contains(UInt8(ascii: "\\")) else { return String(validating: inner, as: UTF8.self) }
        return Self.unescaped(inner)
    }

    private var peek: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func take(_ symbol: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: symbol) else { return false }
        position += 1
        return true
    }

    /// Behind the closing quote; false: there is none.
    private mutating func skipString() -> Bool {
        position += 1
        while let byte = peek {
            position += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") {
                guard peek != nil else { return false }
                position += 1
            }
        }
        return false
    }

    /// Behind the bracket that closes the next one; false: there is none, or it is of the other kind.
    private mutating func skipBrackets() -> Bool {
        var open: [UInt8] = []
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): open.append(byte)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // In ASCII, each closing bracket is two behind the one that opens.
                guard let last = open.popLast(), last + 2 == byte else { return false }
            default: break
            }
            position += 1
            if open.isEmpty { return true }
        }
        return false
    }

    /// Behind a number, true, false or null; false: there is nothing that could be one.
    private mutating func skipWord() -> Bool {
        let start = position
        while let byte = peek, Self.isOfWord(byte) { position += 1 }
        let word = bytes[start..<position]
        guard let first = word.first else { return false }
        return first < UInt8(ascii: "A") || ["true", "false", "null"].contains { word.elementsEqual($0.utf8) }
    }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private static func unescaped(_ text: ArraySlice<UInt8>) -> String? {
        var units: [UInt16] = []
        guard let decoded = String(validating: text, as: UTF8.self) else { return nil }
        var rest = Substring(decoded).utf16
        while let unit = rest.popFirst() {
            guard unit == 0x5C else {
                units.append(unit)
                continue
            }
            switch rest.popFirst() {
            case 0x22: units.append(0x22)
            case 0x5C: units.append(0x5C)
            case 0x2F: units.append(0x2F)
            case 0x62: units.append(0x08)
            case 0x66: units.append(0x0C)
            case 0x6E: units.append(0x0A)
            case 0x72: units.append(0x0D)
            case 0x74: units.append(0x09)
            case 0x75:
                let digits = String(decoding: rest.prefix(4), as: UTF16.self)
                guard digits.utf8.count == 4, let code = UInt16(digits, radix: 16) else { return nil }
                units.append(code)
                rest = rest.dropFirst(4)
            default: return nil
            }
        }
        return String(validating: units, as: UTF16.self)
    }
}
