import Logging
import NIOPosix
import Redis
import Rules
import Synchronization

/// Keeps the keys of one server that begin with some prefixes in memory, so that a pattern costs what it matches and
/// not what there is.
///
/// Redis tells of every key that is written, by `CLIENT TRACKING … BCAST` with the prefixes, redirected to a second
/// connection that is subscribed to it; what was there before is found by one SCAN that begins afterwards. It tells at
/// the end of each round of its event loop, before it sends replies. So once two PINGs, one after the other, have come
/// back on the subscribed connection, each key has been heard of that was written before the first was sent: that one
/// may have been served in the same round as the write, the second one was not. A PING on the tracking connection
/// shows that nobody has ended it, and with it the tracking, without our knowing yet.
///
/// Keys are told without their database, and without what has happened to them. Those that may be gone stay until an
/// EXISTS says so. Where anything could have been missed, a connection that was lost above all, everything is
/// forgotten and read anew; until then patterns are scanned for. SWAPDB alone is told by nobody: a target whose
/// databases are swapped must have no index.
final class KeyIndex: Sendable {
    /// Makes a connection to the server.
    typealias Connect = @Sendable (RedisConnectionOptions) async throws(RedisError) -> RedisConnection

    struct Connections {
        let subscribed, tracking: RedisConnection
        /// What both lead to.
        let server: RedisIdentity

        /// They are of no more use. Whoever keeps the index sees their end.
        func close() {
            subscribed.close()
            tracking.close()
        }
    }

    struct State {
        var keys: IndexedKeys
        var connections: Connections?
        var reason = "it has not been built yet"
        var fills = 0
    }

    let prefixes: IndexPrefixes
    let target: Target
    let logger: Logger
    let sweepOptions: SweepOptions
    let onChange: @Sendable () -> Void
    private let connect: Connect
    let state: Mutex<State>
    /// Fires when what was known may count no more.
    let voided = Signal()

    /// Where all of its kind listen: keys may come so fast that nobody else should share a thread with them.
    private static let listening = EventLoopExecutor(on: MultiThreadedEventLoopGroup(numberOfThreads: 1))
    private static let isFull = "the keys take more memory than they may"
    private static let channel = "__redis__:invalidate"
    /// Long enough that a target with too many keys is not read for nothing all the time.
    private static let restWhenFull = Duration.seconds(300)
    /// Long enough that a server that doesn't let us track isn't asked all the time.
    private static let restWhenRefused = Duration.seconds(5)
    /// How many keys a lookup is given at once: some tens of microseconds' worth.
    private static let pageLimit = 1000

    /// The index of a server of a target; ``run()`` builds it.
    ///
    /// - Parameter onChange: told once in a while that there are more keys or less.
    init(
        _ options: KeyIndexOptions, prefixes: IndexPrefixes, of target: Target, sweepOptions: SweepOptions = .init(),
        logger: Logger, onChange: @escaping @Sendable () -> Void = {}, connect: @escaping Connect
    ) {
        self.prefixes = prefixes
        self.onChange = onChange
        self.target = target
        self.sweepOptions = sweepOptions
        self.connect = connect
        var logger = logger
        logger[metadataKey: "connection"] = "index"
        self.logger = logger
        state = Mutex(State(keys: IndexedKeys(memoryLimit: options.memoryLimit)))
    }

    /// How it stands.
    var status: KeyIndexStatus {
        state.withLock { state in
            var status = KeyIndexStatus(.off)
            switch state.keys.phase {
            case .off: status.reason = state.keys.isFull ? Self.isFull : state.reason
            case .filling: status.state = .filling
            case .complete: status.state = .ready
            }
            status.keys = state.keys.pages.count
            status.unverifiedKeys = state.keys.pages.heardCount
            status.bytes = state.keys.pages.memory
            status.fills = state.fills
            return status
        }
    }

    /// Builds it, and keeps it until the task is cancelled. Called once.
    func run() async {
        var random = SystemRandomNumberGenerator()
        var failures = 0
        while !Task.isCancelled {
            var rest = Self.restWhenFull
            do throws(RedisError) {
                try await listen()
                failures = 0
                end(Self.isFull, summary: Self.isFull)
            } catch {
                if error.code == .cancelled { break }
                failures = hasServed() ? 1 : failures + 1
                end(error.description, summary: error.summary, isNews: failures == 1)
                rest =
                    error.code == .refused
                    ? Self.restWhenRefused
                    : target.options.backoff.delay(afterFailures: failures, using: &random)
            }
            // The backoff, or the wait before all keys are read once more that were too many.
            try? await Task.sleep(for: rest)
        }
        end("it has ended", summary: "it has ended", isNews: false)
    }

    /// Keys are heard of until something is wrong. Returns when they take too much memory.
    private func listen() async throws(RedisError) {
        let subscribed = try await connection()
        defer { subscribed.close() }
        let id = try await subscribed.send(RedisCommand("CLIENT", "ID"), deadline: target.options.deadline)
        guard case .integer(let number) = id else { throw Self.refusal(id, of: "CLIENT ID") }
        let identity = try await subscribed.identity(deadline: target.options.deadline)
        let session = state.withLock { $0.keys.begin() }
        try await subscribed.subscribe(to: [Self.channel], deadline: target.options.deadline) { [self] message in
            let isComplete = state.withLock { state in
                state.keys.hear(message.payload, in: session)
                return state.keys.phase == .complete
            }
            if !isComplete { voided.fire() }
        }
        let tracking = try await connection()
        defer { tracking.close() }
        let words = ["TRACKING", "ON", "REDIRECT", "\(number)", "BCAST"].map { Array($0.utf8) }
        let track = RedisCommand("CLIENT", words + prefixes.tracked.flatMap { [Array("PREFIX".utf8), $0] })
        let reply = try await tracking.send(track, deadline: target.options.deadline)
        guard case .simpleString = reply else { throw Self.refusal(reply, of: "CLIENT TRACKING") }
        let server = try await tracking.identity(deadline: target.options.deadline)
        guard server == identity else {
            throw RedisError(.disconnected, "the connections lead to different servers")
        }
        let connections = Connections(subscribed: subscribed, tracking: tracking, server: server)
        let error = await withTaskGroup(of: RedisError?.self) { group in
            group.addTask { await self.keep(over: connections) }
            for connection in [subscribed, tracking] {
                group.addTask {
                    await connection.closed()
                    return RedisError(.disconnected, "a connection of the index was closed")
                }
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if Task.isCancelled { throw RedisError(.cancelled, "cancelled") }
        if let error { throw error }
    }

    /// Fills it and keeps it up, over and over, until there are too many keys: then nil is returned.
    private func keep(over connections: Connections) async -> RedisError? {
        do throws(RedisError) {
            while state.withLock({ !$0.keys.isFull }) {
                guard try await fill(over: connections.tracking) else { continue }
                state.withLock { $0.connections = connections }
                try await verify(over: connections)
            }
            return nil
        } catch {
            return error
        }
    }

    /// Whether it was complete since it was begun.
    private func hasServed() -> Bool { state.withLock { $0.connections != nil } }

    /// One that others' traffic doesn't share an event loop with.
    private func connection() async throws(RedisError) -> RedisConnection {
        var options = target.options.connection
        options.packsStrings = true
        options.executor = Self.listening
        return try await connect(options)
    }

    private func end(_ reason: String, summary: String, isNews: Bool = true) {
        state.withLock { state in
            state.keys.end()
            state.connections = nil
            state.reason = reason
        }
        onChange()
        if isNews { logger.notice("Patterns are scanned for", metadata: ["reason": "\(summary)"]) }
    }

    static func refusal(_ reply: RedisReply, of command: String) -> RedisError {
        if case .error(let error) = reply { return RedisError(.refused, error.text, doing: command) }
        return RedisError(.protocolViolation, "it was answered with something else", doing: command)
    }
}

extension KeyIndex {
    /// The epoch in which every key is known; nil: that is not so.
    var completeEpoch: Int? { state.withLock { $0.keys.completeEpoch } }

    /// Whether it has the keys of the server with this `run_id`. After a failover it may still have the old one's: it is
    /// made anew then.
    func leads(to server: String) -> Bool {
        guard let connections = state.withLock({ $0.connections }) else { return false }
        if connections.server.runID == server { return true }
        connections.close()
        return false
    }

    /// The next keys with a prefix; nil: it is not certain that every key is known.
    func page(of prefix: [UInt8], from start: [UInt8], in epoch: Int) -> RedisStrings? {
        state.withLock {
            $0.keys.keys(beginningWith: prefix, from: start, limit: Self.pageLimit, in: epoch)
        }
    }

    /// Returns when every key has been heard of that was written before. False: that can't be known.
    func catchUp(in epoch: Int) async throws(CancellationError) -> Bool {
        let connections = state.withLock { $0.keys.isComplete(in: epoch) ? $0.connections : nil }
        guard let connections else { return false }
        async let isTracking = answers(connections.tracking)
        // One after the other: together they could be served in one round.
        let hasHeard = await answers(connections.subscribed) ? await answers(connections.subscribed) : false
        let hasAnswered = await isTracking && hasHeard
        if Task.isCancelled { throw CancellationError() }
        if !hasAnswered { connections.close() }
        return hasAnswered && state.withLock { $0.keys.isComplete(in: epoch) }
    }

    private func answers(_ connection: RedisConnection) async -> Bool {
        switch try? await connection.send(RedisCommand("PING"), deadline: target.options.deadline) {
        case nil, .error: false
        default: true
        }
    }
}
