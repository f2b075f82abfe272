/// What a template does to a column's value before it becomes part of a key: `{email|lower|md5}`.
public enum Filter: Hashable, Sendable {
    /// Lower case, upper case, by Unicode's rules without a locale ("ß" becomes "SS"). Of bytes that are not
    /// UTF-8, only the ASCII letters change.
    case lower, upper
    /// RFC 3986: letters, digits and `-._~` stay, every other byte becomes `%XX`.
    case urlencode
    /// The digest of the value's bytes in lower-case hexadecimal.
    case md5, sha256
    /// What stands for a null; without it, a null skips the key.
    case `default`(String)

    /// The names of all filters.
    static let names = ["lower", "upper", "urlencode", "md5", "sha256", "default"]

    /// Whether what it makes of two values is never the same; that of a digest is not to be expected.
    var isOneToOne: Bool {
        switch self {
        case .urlencode, .md5, .sha256: true
        case .lower, .upper, .default: false
        }
    }

    /// The filtered value; a null stays null, unless there is a default for it.
    public func apply(_ value: [UInt8]?) -> [UInt8]? {
        guard let value else {
            if case .default(let text) = self { return Array(text.utf8) }
            return nil
        }
        return switch self {
        case .lower: mapText(value, { $0.lowercased() }, ascii: { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 })
        case .upper: mapText(value, { $0.uppercased() }, ascii: { $0 >= 97 && $0 <= 122 ? $0 - 32 : $0 })
        case .urlencode: percentEncoded(value)
        case .md5: hexadecimal(MD5.digest(value))
        case .sha256: hexadecimal(SHA256.digest(value))
        case .default: value
        }
    }
}

extension Filter: CustomStringConvertible {
    /// As it is written in a template.
    public var description: String {
        switch self {
        case .lower: "lower"
        case .upper: "upper"
        case .urlencode: "urlencode"
        case .md5: "md5"
        case .sha256: "sha256"
        case .default(let text): "default:\(text)"
        }
    }
}

private func mapText(_ value: [UInt8], _ text: (String) -> String, ascii: (UInt8) -> UInt8) -> [UInt8] {
    if value.allSatisfy({ $0 < 0x80 }) { return value.map(ascii) }
    guard let valid = String(validating: value, as: UTF8.self) else { return value.map(ascii) }
    return Array(text(valid).utf8)
}

private func percentEncoded(_ value: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return value.reduce(into: []) { result, byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            result.append(byte)
        default:
            result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}

private func hexadecimal(_ digest: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
}
