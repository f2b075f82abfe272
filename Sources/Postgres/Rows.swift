/// The rows that a statement returned, copied out of libpq into one buffer.
public struct Rows: Sendable, RandomAccessCollection {
    /// The columns' names.
    public let columns: [String]
    /// How many rows there are; for a statement that returns none, how many it changed.
    public let affected: Int
    let bytes: [UInt8]
    /// For each value its start in `bytes` and its length, −1 for null.
    private let values: [(start: Int, length: Int)]

    init(columns: [String], affected: Int, bytes: [UInt8], values: [(start: Int, length: Int)]) {
        self.columns = columns
        self.affected = affected
        self.bytes = bytes
        self.values = values
    }

    /// The first row's number.
    public var startIndex: Int { 0 }
    /// The number after the last row's.
    public var endIndex: Int { columns.isEmpty ? 0 : values.count / columns.count }
    /// A row, which shares the buffer.
    public subscript(index: Int) -> Row { Row(rows: self, index: index) }

    func range(row: Int, column: Int) -> Range<Int>? {
        let value = values[row * columns.count + column]
        return value.length < 0 ? nil : value.start..<value.start + value.length
    }
}

/// One row of `Rows`.
public struct Row: Sendable {
    private let rows: Rows
    private let index: Int

    init(rows: Rows, index: Int) {
        self.rows = rows
        self.index = index
    }

    /// How many columns it has.
    public var count: Int { rows.columns.count }

    /// A value as the server sent it, or nil for null.
    public func bytes(_ column: Int) -> ArraySlice<UInt8>? { range(column).map { rows.bytes[$0] } }

    /// Where a value is in ``buffer``, or nil for null.
    public func range(_ column: Int) -> Range<Int>? { rows.range(row: index, column: column) }

    /// The values of all rows, for who keeps many of them: it is one buffer, which lives as long as any of its owners.
    public var buffer: [UInt8] { rows.bytes }

    /// A value of a text result, or nil for null.
    public func text(_ column: Int) -> String? { bytes(column).map { String(decoding: $0, as: UTF8.self) } }

    /// A boolean of a text result; null is false.
    public func bool(_ column: Int) -> Bool { bytes(column)?.elementsEqual("t".utf8) ?? false }

    /// An integer of a text result, or nil for null.
    public func int(_ column: Int) -> Int? { text(column).flatMap { Int($0) } }

    /// An integer of a binary result, big-endian as the wire has it, or nil for null.
    @inlinable
    public func binaryInteger<Value: FixedWidthInteger>(_ column: Int, as type: Value.Type = Value.self)
        -> Value?
    {
        // The bytes are put together in here, for a generic loop would not be specialized for other modules.
        bigEndian(column).map { Value(truncatingIfNeeded: $0) }
    }

    @usableFromInline
    func bigEndian(_ column: Int) -> UInt64? {
        guard let range = range(column) else { return nil }
        func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> UInt64 {
            let bytes = rows.bytes.span.bytes
            return UInt64(Value(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: range.lowerBound, as: type)))
        }
        // Nearly all are a bigint's or an int's.
        return switch range.count {
        case 8: load(UInt64.self)
        case 4: load(UInt32.self)
        default: range.reduce(0) { $0 << 8 | UInt64(rows.bytes[$1]) }
        }
    }
}
