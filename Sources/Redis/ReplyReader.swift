internal import CHiredis
import NIOCore

/// Takes replies out of a stream of bytes, by hiredis' reader. After an error it gives nothing but that error.
package struct ReplyReader: ~Copyable {
    private let reader: UnsafeMutablePointer<redisReader>
    private let packsStrings: Bool

    /// - Parameter packsStrings: see ``RedisConnectionOptions/packsStrings``.
    package init(packsStrings: Bool = false) {
        guard let reader = redisReaderCreate() else { fatalError("out of memory") }
        self.reader = reader
        self.packsStrings = packsStrings
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
        return value(of: reply.assumingMemoryBound(to: redisReply.self).pointee, depth: 1)
    }

    private func value(of reply: redisReply, depth: Int) -> RedisReply {
        switch reply.type {
        case REDIS_REPLY_STRING: .bulk(Array(bytes(of: reply)))
        case REDIS_REPLY_INTEGER: .integer(Int(reply.integer))
        case REDIS_REPLY_STATUS: .simpleString(String(decoding: bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: .error(RedisErrorReply(String(decoding: bytes(of: reply), as: UTF8.self)))
        case REDIS_REPLY_ARRAY: array(UnsafeBufferPointer(start: reply.element, count: reply.elements), depth: depth)
        default: .null
        }
    }

    private func array(
        _ elements: UnsafeBufferPointer<UnsafeMutablePointer<redisReply>?>, depth: Int
    ) -> RedisReply {
        if packsStrings, depth == 2, let strings = strings(elements) { return .strings(strings) }
        return .array(elements.compactMap { $0.map { value(of: $0.pointee, depth: depth + 1) } })
    }

    /// Nil when there are none, or something else.
    private func strings(_ elements: UnsafeBufferPointer<UnsafeMutablePointer<redisReply>?>) -> RedisStrings? {
        var byteCount = 0
        for element in elements {
            guard let reply = element?.pointee, reply.type == REDIS_REPLY_STRING else { return nil }
            byteCount += reply.len
        }
        guard !elements.isEmpty else { return nil }
        var strings = RedisStrings(capacity: elements.count, bytes: byteCount)
        for case let element? in elements { strings.append(bytes(of: element.pointee)) }
        return strings
    }

    private func bytes(of reply: redisReply) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.str, count: reply.len)
    }
}
