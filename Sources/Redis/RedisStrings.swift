/// Binary-safe strings, one behind the other in one buffer, so that a page of a thousand keys costs two allocations
/// and not a thousand.
public struct RedisStrings: Hashable, Sendable, RandomAccessCollection {
    /// All of them.
    public private(set) var bytes: [UInt8] = []
    /// Where in ``bytes`` each one ends.
    private var ends: [Int] = []

    /// No strings.
    public init() {}

    /// No strings, and room for this many, with so many bytes altogether.
    public init(capacity: Int, bytes: Int) {
        self.bytes.reserveCapacity(bytes)
        ends.reserveCapacity(capacity)
    }

    /// These strings.
    public init(_ strings: some Collection<[UInt8]>) {
        self.init(capacity: strings.count, bytes: strings.reduce(0) { $0 + $1.count })
        for string in strings { string.withUnsafeBytes { append($0) } }
    }

    /// Adds one.
    public mutating func append(_ string: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
    }

    /// Adds one of others.
    public mutating func append(_ others: RedisStrings, at index: Int) {
        others.bytes.withUnsafeBytes { append(UnsafeRawBufferPointer(rebasing: $0[others.range(at: index)])) }
    }

    /// The first.
    public var startIndex: Int { 0 }

    /// Behind the last.
    public var endIndex: Int { ends.count }

    /// One of them.
    public subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(at: index)] }

    /// Where one of them is in ``bytes``.
    public func range(at index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }
}
