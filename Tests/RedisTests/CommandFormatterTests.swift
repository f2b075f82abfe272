import NIOCore
import Testing

@testable import Redis

@Suite struct CommandFormatterTests {
    @Test func writesWordsAsBytes() {
        var command = RedisCommand("SET", "é", "")
        command.append([0, 13, 10][...])
        let buffer = CommandFormatter.buffer(
            of: [command, RedisCommand("PING")], allocator: ByteBufferAllocator())
        #expect(
            Array(buffer.readableBytesView)
                == Array("*4\r\n$3\r\nSET\r\n$2\r\né\r\n$0\r\n\r\n$3\r\n\0\r\n\r\n*1\r\n$4\r\nPING\r\n".utf8))
    }

    @Test func takesNameAndArguments() {
        let command = RedisCommand("UNLINK", [[1, 2], [], [3]])
        #expect(command.bytes == Array("UNLINK".utf8) + [1, 2, 3])
        #expect(command.ends == [6, 8, 8, 9])
        #expect(command.name == "UNLINK")
    }
}
