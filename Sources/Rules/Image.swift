/// The columns of a row that some rule needs, as Postgres' text output.
///
/// The bytes are those of the elements of a Postgres array in its binary form: for each column a big-endian
/// 32-bit length, −1 for null, and then the text. Rows of one outbox record share one buffer, so reading a
/// record copies its bytes once and allocates nothing per row or column.
public struct Image: Sendable {
    let bytes: [UInt8]
    let start: Int

    /// The row whose first column's length stands at `start` of `bytes`.
    public init(bytes: [UInt8], start: Int) {
        self.bytes = bytes
        self.start = start
    }

    /// The image with the given columns, in the manifest's order.
    public init(_ columns: [String?]) { self.init(columns.map { $0.map { Array($0.utf8) } }) }

    init(_ columns: [[UInt8]?]) {
        var bytes: [UInt8] = []
        for column in columns {
            let length = UInt32(bitPattern: column.map { Int32($0.count) } ?? -1)
            for shift in [24, 16, 8, 0] as [UInt32] {
                bytes.append(UInt8(truncatingIfNeeded: length >> shift))
            }
            bytes += column ?? []
        }
        self.init(bytes: bytes, start: 0)
    }

    /// The text of the column with this index, or nil where it is null.
    public subscript(index: Int) -> ArraySlice<UInt8>? {
        var position = start
        for _ in 0..<index { position += 4 + max(0, length(at: position)) }
        let count = length(at: position)
        return count < 0 ? nil : bytes[position + 4..<position + 4 + count]
    }

    private func length(at position: Int) -> Int {
        Int(Int32(bigEndian: bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self)))
    }
}
