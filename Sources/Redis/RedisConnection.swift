import NIOCore
import Synchronization

/// One connection to one server. Any number of tasks may have pipelines under way on it; how many and how large
/// is theirs to bound, for the connection queues what it is given.
public final class RedisConnection: Sendable {
    /// Where it leads.
    public let url: RedisURL
    private let channel: any Channel
    private let handler: NIOLoopBound<RedisChannelHandler>
    /// What it was logged in with last.
    private let password = Mutex<String?>(nil)

    /// For `connect`: the channel and its handler are set up.
    init(url: RedisURL, channel: any Channel, handler: NIOLoopBound<RedisChannelHandler>) {
        self.url = url
        self.channel = channel
        self.handler = handler
    }

    deinit { channel.close(promise: nil) }

    /// Sends commands in one write and waits for their replies, which come in the order of the commands.
    ///
    /// An error reply is a value among the others. Throws `disconnected`, `timeout` (no full answer within
    /// `deadline`) and `protocolViolation`, each of which ends the connection for all who use it, and
    /// `cancelled`, which doesn't: the replies are dropped when they come. Whenever it throws, any of the
    /// commands may have been executed.
    public func pipeline(_ commands: [RedisCommand], deadline: Duration) async throws(RedisError)
        -> [RedisReply]
    {
        guard let first = commands.first else { return [] }
        guard !Task.isCancelled else { throw .cancelled }
        let bytes = CommandFormatter.buffer(of: commands, allocator: channel.allocator)
        let count = commands.count
        let outcome = OneShot<[RedisReply], RedisError>(cancellation: .cancelled)
        onEventLoop { $0.send(bytes, expecting: count, within: deadline, outcome: outcome) }
        do {
            return try await outcome.value()
        } catch {
            throw error.during("\(first.name)\(count > 1 ? " and \(count - 1) more" : "") on \(url)")
        }
    }

    /// Sends one command and waits for its reply; as ``pipeline(_:deadline:)`` in everything else.
    public func send(_ command: RedisCommand, deadline: Duration) async throws(RedisError) -> RedisReply {
        try await pipeline([command], deadline: deadline)[0]
    }

    /// From now on messages are no replies.
    func receive(_ onMessage: @escaping @Sendable (RedisMessage) -> Void) {
        onEventLoop { $0.subscribe(onMessage) }
    }

    private func onEventLoop(_ body: @escaping @Sendable (RedisChannelHandler) -> Void) {
        guard !channel.eventLoop.inEventLoop else { return body(handler.value) }
        channel.eventLoop.execute { [handler] in body(handler.value) }
    }

    /// Returns at this time. It wakes no thread but the connection's, where `Task.sleep` wakes two more.
    ///
    /// Throws when the task is cancelled.
    package func rest(until end: ContinuousClock.Instant) async throws(CancellationError) {
        let rest = OneShot<Void, CancellationError>(cancellation: CancellationError())
        let time = TimeAmount(max(.zero, end - .now))
        let alarm = channel.eventLoop.scheduleTask(in: time) { rest.resolve(.success(())) }
        defer { alarm.cancel() }
        try await rest.value()
    }

    /// It was logged in with this password.
    func remember(_ password: String?) { self.password.withLock { $0 = password } }

    /// Logs in again where the password's file has another one by now. The connection goes on whatever comes of it.
    ///
    /// Throws `refused` when the file can't be read or the server doesn't accept the new password, and what
    /// ``pipeline(_:deadline:)`` throws.
    public func renewLogin(deadline: Duration) async throws(RedisError) {
        let current = try url.credentials.currentPassword()
        guard let current, current != password.withLock({ $0 }) else { return }
        let reply = try await send(url.credentials.authentication(by: current), deadline: deadline)
        if case .error(let refusal) = reply { throw RedisError(.refused, refusal.text, doing: "AUTH on \(url)") }
        remember(current)
    }

    /// Whether the connection can still be used, as far as is known here.
    public var isOpen: Bool { channel.isActive }

    /// Closes the connection; what is under way fails with `disconnected`.
    public func close() {
        channel.close(promise: nil)
    }

    /// Returns when the connection has ended, or when the task is cancelled.
    public func closed() async {
        let end = OneShot<Void, RedisError>(cancellation: .cancelled)
        channel.closeFuture.whenComplete { _ in end.resolve(.success(())) }
        try? await end.value()
    }
}
