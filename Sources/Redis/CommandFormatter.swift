internal import CHiredis
import NIOCore

/// Writes commands in Redis' protocol, by hiredis' formatter.
enum CommandFormatter {
    /// The bytes of a whole pipeline in one buffer.
    static func buffer(of commands: [RedisCommand], allocator: ByteBufferAllocator) -> ByteBuffer {
        // A word's frame is "$", its length and two line ends; lengths have few digits.
        let capacity = commands.reduce(0) { $0 + $1.bytes.count + 12 * ($1.ends.count + 1) }
        var buffer = allocator.buffer(capacity: capacity)
        var pointers: [UnsafePointer<CChar>?] = []
        var lengths: [Int] = []
        for command in commands {
            append(command, to: &buffer, pointers: &pointers, lengths: &lengths)
        }
        return buffer
    }

    /// The arrays are scratch space, lent so that a pipeline allocates them once.
    private static func append(
        _ command: RedisCommand, to buffer: inout ByteBuffer,
        pointers: inout [UnsafePointer<CChar>?], lengths: inout [Int]
    ) {
        pointers.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        command.bytes.withUnsafeBytes { bytes in
            // An empty array may have no address, but a word without bytes must not be a null pointer.
            let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
            var start = 0
            for end in command.ends {
                pointers.append(base?.advanced(by: start).assumingMemoryBound(to: CChar.self))
                lengths.append(end - start)
                start = end
            }
            var formatted: sds?
            let count = redisFormatSdsCommandArgv(&formatted, Int32(lengths.count), &pointers, lengths)
            guard count >= 0, let formatted else { fatalError("out of memory") }
            buffer.writeBytes(UnsafeRawBufferPointer(start: formatted, count: Int(count)))
            redisFreeSdsCommand(formatted)
        }
    }
}
