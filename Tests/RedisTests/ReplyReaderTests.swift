import NIOCore
import Testing

@testable import Redis

@Suite struct ReplyReaderTests {
    private func replies(to pieces: [String], packsStrings: Bool = false) throws -> [RedisReply] {
        let reader = ReplyReader(packsStrings: packsStrings)
        var replies: [RedisReply] = []
        for piece in pieces {
            reader.feed(ByteBuffer(string: piece))
            while let reply = try reader.next() { replies.append(reply) }
        }
        return replies
    }

    @Test func readsEveryKind() throws {
        let text =
            "+OK\r\n-WRONGTYPE no\r\n:-42\r\n$3\r\na\0b\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n"
        let expected: [RedisReply] = [
            .simpleString("OK"), .error(RedisErrorReply("WRONGTYPE no")), .integer(-42), .bulk([97, 0, 98]),
            .null,
            .null, .array([]), .array([.array([.integer(1)]), .bulk([])]),
        ]
        #expect(try replies(to: [text]) == expected)
        #expect(try replies(to: text.unicodeScalars.map { String($0) }) == expected, "cut at every byte")
    }

    @Test func packsStringsWhereThatWasAskedFor() throws {
        let page = "*2\r\n$2\r\n17\r\n*3\r\n$1\r\na\r\n$0\r\n\r\n$3\r\nb\0c\r\n"
        let keys: [[UInt8]] = [[97], [], [98, 0, 99]]
        let cursor = RedisReply.bulk(Array("17".utf8))
        #expect(try replies(to: [page]) == [.array([cursor, .array(keys.map { .bulk($0) })])])
        for pieces in [[page], page.unicodeScalars.map { String($0) }] {
            #expect(try replies(to: pieces, packsStrings: true) == [.array([cursor, .strings(RedisStrings(keys))])])
        }
        let strings = RedisStrings(keys)
        #expect(strings.map { Array($0) } == keys && strings.count == 3 && strings[2].last == 99)
        // Nothing but strings, and at that place alone.
        let others = "*1\r\n*0\r\n*1\r\n*2\r\n$1\r\na\r\n:1\r\n*1\r\n*1\r\n$-1\r\n*1\r\n$1\r\na\r\n"
        #expect(try replies(to: [others], packsStrings: true) == replies(to: [others]))
    }

    @Test func readsSevenLevelsAndRefusesMore() throws {
        let nested = String(repeating: "*1\r\n", count: 7) + ":1\r\n"
        var reply = try #require(try replies(to: [nested]).first)
        for _ in 0..<7 {
            guard case .array(let elements) = reply, let first = elements.first else { break }
            reply = first
        }
        #expect(reply == .integer(1))
        #expect(throws: RedisError.self) { try replies(to: ["*1\r\n" + nested + "\r\n"]) }
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", "$x\r\n", "$-2\r\n", ":1 2\r\n",
        "*99999999999999\r\n",
    ])
    func refusesWhatIsNotRedis(text: String) {
        let error = #expect(throws: RedisError.self) { try replies(to: [text]) }
        #expect(error?.code == .protocolViolation)
    }

    @Test func errorReplyHasACode() {
        #expect(RedisErrorReply("LOADING Redis is loading the dataset in memory").code == "LOADING")
        #expect(RedisErrorReply("ERR").code == "ERR")
    }
}
