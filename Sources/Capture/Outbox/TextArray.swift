import Rules

/// A `text[]` of one or two dimensions in binary form (`array_send`): number of dimensions, has-nulls flag,
/// element type, then size and lower bound of each dimension, then the elements with their lengths.
struct TextArray {
    private let bytes: [UInt8]
    private let dimensions: [Int]

    init(_ slice: ArraySlice<UInt8>) {
        bytes = Array(slice)
        let count = Self.integer(bytes, at: 0)
        dimensions = (0..<count).map { [bytes] in Self.integer(bytes, at: 12 + 8 * $0) }
    }

    /// The rows: of one dimension the only one, of two each.
    var images: [Image] {
        guard let width = dimensions.last else { return [] }
        let height = dimensions.count == 1 ? 1 : dimensions[0]
        var position = elementsStart
        var images: [Image] = []
        images.reserveCapacity(height)
        for _ in 0..<height {
            images.append(Image(bytes: bytes, start: position))
            for _ in 0..<width { position += 4 + max(0, Self.integer(bytes, at: position)) }
        }
        return images
    }

    /// The elements of one dimension as text.
    var strings: [String] {
        guard let image = images.first, let width = dimensions.last else { return [] }
        return (0..<width).map { String(decoding: image[$0] ?? [], as: UTF8.self) }
    }

    private var elementsStart: Int { 12 + 8 * dimensions.count }

    private static func integer(_ bytes: [UInt8], at position: Int) -> Int {
        var value: UInt32 = 0
        for offset in 0..<4 { value = value << 8 | UInt32(bytes[position + offset]) }
        return Int(Int32(bitPattern: value))
    }
}
