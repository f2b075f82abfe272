import Rules

/// A `text[]` of one or two dimensions in binary form (`array_send`): number of dimensions, has-nulls flag,
/// element type, then size and lower bound of each dimension, then the elements with their lengths.
struct TextArray {
    private let bytes: [UInt8]
    /// Where the next row begins.
    private var position: Int
    /// How many rows there are: of one dimension one, of two as many as the first has.
    let height: Int
    private let width: Int

    /// The array that begins at `start` of `bytes`.
    init(_ bytes: [UInt8], at start: Int) {
        self.bytes = bytes
        let dimensions = Self.integer(bytes, at: start)
        position = start + 12 + 8 * dimensions
        height = dimensions == 2 ? Self.integer(bytes, at: start + 12) : dimensions
        width = dimensions == 0 ? 0 : Self.integer(bytes, at: start + 12 + 8 * (dimensions - 1))
    }

    /// The next row, of which there are ``height``.
    mutating func next() -> Image {
        let image = Image(bytes: bytes, start: position)
        for _ in 0..<width { position += 4 + max(0, Self.integer(bytes, at: position)) }
        return image
    }

    /// The elements of one dimension as text.
    var strings: [String] {
        let image = Image(bytes: bytes, start: position)
        return (0..<width).map { String(decoding: image[$0] ?? [], as: UTF8.self) }
    }

    private static func integer(_ bytes: [UInt8], at position: Int) -> Int {
        Int(Int32(bigEndian: bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self)))
    }
}
