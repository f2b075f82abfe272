/// A command and its arguments, all of them bytes. They lie in one buffer, so a command of some hundred keys
/// costs two allocations and not one per key.
public struct RedisCommand: Hashable, Sendable {
    var bytes: [UInt8] = []
    /// Where in `bytes` each word ends.
    var ends: [Int] = []

    /// The command with these words, for example `RedisCommand("CLIENT", "SETNAME", "unstale")`.
    public init(_ words: String...) {
        for word in words { append(Array(word.utf8)) }
    }

    /// The command with these arguments, for example `RedisCommand("UNLINK", keys)`.
    public init(_ name: StaticString, _ arguments: [[UInt8]]) {
        ends.reserveCapacity(arguments.count + 1)
        bytes.reserveCapacity(arguments.reduce(name.utf8CodeUnitCount) { $0 + $1.count })
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        ends.append(bytes.count)
        for argument in arguments { append(argument) }
    }

    /// Adds one argument.
    public mutating func append(_ argument: [UInt8]) {
        bytes.append(contentsOf: argument)
        ends.append(bytes.count)
    }

    /// Adds one argument.
    public mutating func append(_ argument: ArraySlice<UInt8>) {
        bytes.append(contentsOf: argument)
        ends.append(bytes.count)
    }

    /// How many bytes its words have.
    package var byteCount: Int { bytes.count }

    /// The command's own name, for messages: arguments may be secrets.
    var name: String { String(decoding: bytes.prefix(ends.first ?? 0), as: UTF8.self) }
}
