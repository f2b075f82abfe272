import AsyncAlgorithms
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization
import Worker

/// `/api/changes?follow=1`: server-sent events, for a few followers at a time.
///
/// What a follower hasn't read yet waits in two places, both small: with ``RecentChanges``, which counts what it has
/// no room for, and in the connection's buffer, which is written to only while there is room.
final class ChangeFeed: Sendable {
    /// Gives a follower's place back when nothing holds it any more.
    private final class Place: Sendable {
        private let leave: @Sendable () -> Void
        init(leave: @escaping @Sendable () -> Void) { self.leave = leave }
        deinit { leave() }
    }

    /// Nobody reads faster; what exceeds it is counted.
    private static let burst = (count: 50, duration: Duration.milliseconds(100))

    private let follow: @Sendable () -> AsyncStream<RecentChanges.News>
    private let limit: Int
    private let heartbeat: Duration
    private let following = Mutex(0)

    init(limit: Int, heartbeat: Duration, follow: @escaping @Sendable () -> AsyncStream<RecentChanges.News>) {
        self.limit = limit
        self.heartbeat = heartbeat
        self.follow = follow
    }

    /// The answer to a follower; it ends with the connection, and with the worker.
    func response(on connection: any Channel) throws -> Response {
        let isFree = following.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
        guard isFree else { throw AdminRefusal.busy("\(limit) others follow the changes", .tooManyRequests) }
        let place = Place { self.following.withLock { $0 -= 1 } }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .connection: "close"],
            body: ResponseBody { writer in
                defer { withExtendedLifetime(place) {} }
                try await writer.write(ByteBuffer(string: "retry: 2000\n: changes from now on\n\n"))
                try await self.send(to: &writer, until: connection.closeFuture)
                try await writer.finish(nil)
            })
    }

    private func send(to writer: inout any ResponseBodyWriter, until closed: EventLoopFuture<Void>) async throws {
        let events = AsyncChannel<ByteBuffer>()
        closed.whenComplete { _ in events.finish() }
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.send(self.follow(), to: events) }
            // Proxies close a connection on which nothing comes.
            group.addTask {
                while true {
                    try await Task.sleep(for: self.heartbeat)
                    await events.send(ByteBuffer(string: ": still here\n\n"))
                }
            }
            group.addTask {
                try await gracefulShutdown()
                events.finish()
            }
            for await event in events { try await writer.write(event) }
            group.cancelAll()
        }
    }

    private func send(_ news: AsyncStream<RecentChanges.News>, to events: AsyncChannel<ByteBuffer>) async throws {
        var (sent, start) = (0, ContinuousClock.now)
        for await item in news {
            await events.send(try Self.event(item))
            sent += 1
            guard sent == Self.burst.count else { continue }
            // The rest of the time that so many events have: nobody reads faster, and each takes work.
            try await Task.sleep(until: start + Self.burst.duration)
            (sent, start) = (0, .now)
        }
    }

    private static func event(_ news: RecentChanges.News) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        switch news {
        case .change(let change):
            buffer.writeString("event: change\nid: \(change.id)\ndata: ")
            buffer.writeBytes(try JSONAnswer.bytes(change))
        case .skipped(let count): buffer.writeString("event: skipped\ndata: {\"count\":\(count)}")
        }
        buffer.writeString("\n\n")
        return buffer
    }
}
