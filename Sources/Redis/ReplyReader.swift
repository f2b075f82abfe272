internal import CHiredis
import NIOCore

/// Takes replies out of a stream of bytes, by hiredis' reader. After an error it gives nothing but that error.
package struct ReplyReader: ~Copyable {
    private let reader: UnsafeMutablePointer<redisReader>

    package init() {
        guard let reader = redisReaderCreate() else { fatalError("out of memory") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Adds bytes from the peer, cut anywhere.
    package func feed(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            // Its only failure is out of memory, which it keeps and `next` throws.
            _ = redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }

    /// The next whole reply; nil when more bytes are needed. Throws when the bytes are not Redis' protocol.
    package func next() throws(RedisError) -> RedisReply? {
        var reply: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &reply) == REDIS_OK else {
            let message = withUnsafeBytes(of: &reader.pointee.errstr) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw RedisError(.protocolViolation, "not Redis' protocol: \(message.lowercased())")
        }
        guard let reply else { return nil }
        defer { freeReplyObject(reply) }
        return Self.value(of: reply.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private static func value(of reply: redisReply) -> RedisReply {
        switch reply.type {
        case REDIS_REPLY_STRING: .bulk(Array(bytes(of: reply)))
        case REDIS_REPLY_INTEGER: .integer(Int(reply.integer))
        case REDIS_REPLY_STATUS: .simpleString(String(decoding: bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: .error(RedisErrorReply(String(decoding: bytes(of: reply), as: UTF8.self)))
        case REDIS_REPLY_ARRAY:
            .array(
                UnsafeBufferPointer(start: reply.element, count: reply.elements).compactMap { element in
                    element.map { value(of: $0.pointee) }
                })
        default: .null
        }
    }

    private static func bytes(of reply: redisReply) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.str, count: reply.len)
    }
}
