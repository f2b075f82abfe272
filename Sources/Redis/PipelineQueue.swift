import DequeModule

/// Which replies belong to which pipeline: they come in the order of the commands. A value without I/O; the
/// waiter is whatever its owner wants to have back.
struct PipelineQueue<Waiter> {
    private struct Entry {
        let waiter: Waiter
        let expected: Int
        var replies: [RedisReply] = []
    }

    private var entries: Deque<Entry> = []

    /// Whether no reply is awaited.
    var isEmpty: Bool { entries.isEmpty }

    /// A pipeline of `expected` commands, at least one, has been written.
    mutating func append(_ waiter: Waiter, expecting expected: Int) {
        var entry = Entry(waiter: waiter, expected: expected)
        entry.replies.reserveCapacity(expected)
        entries.append(entry)
    }

    /// Files a reply, and gives back the pipeline that it completes. The queue must not be empty.
    mutating func receive(_ reply: RedisReply) -> (waiter: Waiter, replies: [RedisReply])? {
        entries[0].replies.append(reply)
        guard entries[0].replies.count == entries[0].expected else { return nil }
        let done = entries.removeFirst()
        return (done.waiter, done.replies)
    }

    /// Takes everybody out who still waits: no more replies will come.
    mutating func drain() -> [Waiter] {
        defer { entries.removeAll() }
        return entries.map(\.waiter)
    }
}
