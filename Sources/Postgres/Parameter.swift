/// A value bound to `$1`, `$2`, … of a statement.
public enum Parameter: Sendable, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    /// SQL null.
    case null
    /// Text that the server reads as the parameter's type.
    case text(String)
    /// The same as bytes, which need not be valid UTF-8 to Swift.
    case bytes([UInt8])
    /// A `text[]`, sent in binary, so that nothing in it needs quoting.
    case texts([[UInt8]?])

    /// A text parameter.
    public init(stringLiteral value: String) { self = .text(value) }

    /// SQL null.
    public init(nilLiteral: ()) { self = .null }

    /// A number, as text.
    public static func integer(_ value: some BinaryInteger) -> Parameter { .text(String(value)) }

    var isBinary: Bool {
        if case .texts = self { true } else { false }
    }

    /// What goes over the wire: text ends with a NUL, as libpq expects.
    var encoded: [UInt8]? {
        switch self {
        case .null: nil
        case .text(let text): Array(text.utf8) + [0]
        case .bytes(let bytes): bytes + [0]
        case .texts(let elements): Self.encode(elements)
        }
    }

    /// `array_recv`'s format: dimensions, has-nulls flag, element type, then size and lower bound of the one
    /// dimension, then the elements, each with its length.
    private static func encode(_ elements: [[UInt8]?]) -> [UInt8] {
        let textOID: Int32 = 25
        var bytes: [UInt8] = []
        func append(_ value: Int32) {
            withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
        }
        append(elements.isEmpty ? 0 : 1)
        append(elements.contains { $0 == nil } ? 1 : 0)
        append(textOID)
        guard !elements.isEmpty else { return bytes }
        append(Int32(elements.count))
        append(1)
        for element in elements {
            append(element.map { Int32($0.count) } ?? -1)
            bytes += element ?? []
        }
        return bytes
    }
}
