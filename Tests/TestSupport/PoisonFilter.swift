import NIOCore
import Redis

/// Keeps commands with a poisoned word from the server, and puts errors into the stream of replies where theirs
/// belong, without I/O.
struct PoisonFilter: ~Copyable {
    private enum Awaited {
        case server
        case error(String)
    }

    // A command on the wire is an array of strings, so the reader of replies reads it too.
    private let commands = ReplyReader()
    private let replies = ReplyReader()
    private var awaited: [Awaited] = []

    /// What of a client's bytes goes on to the server, and what is answered at once.
    mutating func requests(
        _ bytes: ByteBuffer, poison: [[UInt8]: String]
    ) throws -> (requests: ByteBuffer, answers: ByteBuffer) {
        var requests = ByteBuffer()
        var answers = ByteBuffer()
        commands.feed(bytes)
        while let command = try commands.next() {
            if let error = command.words.lazy.compactMap({ poison[$0] }).first {
                awaited.append(.error(error))
            } else {
                awaited.append(.server)
                requests.writeReply(command)
            }
        }
        answerErrors(into: &answers)
        return (requests, answers)
    }

    /// What the client gets when the server sends these bytes.
    mutating func replies(_ bytes: ByteBuffer) throws -> ByteBuffer {
        var answers = ByteBuffer()
        replies.feed(bytes)
        while let reply = try replies.next() {
            if !awaited.isEmpty { awaited.removeFirst() }
            answers.writeReply(reply)
            answerErrors(into: &answers)
        }
        return answers
    }

    private mutating func answerErrors(into answers: inout ByteBuffer) {
        while case .error(let error) = awaited.first {
            answers.writeReply(.error(RedisErrorReply(error)))
            awaited.removeFirst()
        }
    }
}

extension RedisReply {
    fileprivate var words: [[UInt8]] {
        guard case .array(let elements) = self else { return [] }
        return elements.compactMap { if case .bulk(let bytes) = $0 { bytes } else { nil } }
    }
}

extension ByteBuffer {
    /// Writes a reply as the server would.
    fileprivate mutating func writeReply(_ reply: RedisReply) {
        switch reply {
        case .simpleString(let text): writeString("+\(text)\r\n")
        case .error(let error): writeString("-\(error.text)\r\n")
        case .integer(let number): writeString(":\(number)\r\n")
        case .null: writeString("$-1\r\n")
        case .bulk(let bytes):
            writeString("$\(bytes.count)\r\n")
            writeBytes(bytes)
            writeString("\r\n")
        case .array(let elements):
            writeString("*\(elements.count)\r\n")
            for element in elements { writeReply(element) }
        case .strings(let strings): writeReply(.array(strings.map { .bulk(Array($0)) }))
        }
    }
}
