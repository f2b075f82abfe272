import Redis

extension KeyIndex {
    /// How long a key that may be gone stays unlooked for: one that is written all the time is asked for once in it.
    private static let verifyInterval = Duration.seconds(1)
    /// How many keys are asked for at once.
    private static let verifyBatch = 256
    /// The share of the server's time that asking may take.
    private static let verifyShare = 0.05

    /// Reads all keys that are there. False: what was read doesn't count, or there are too many.
    func fill(over connection: RedisConnection) async throws(RedisError) -> Bool {
        let (phase, epoch) = state.withLock { ($0.keys.phase, $0.keys.epoch) }
        guard phase == .filling else { return false }
        let start = ContinuousClock.now
        var scan = try await KeyScan(connection, matching: prefixes.scanPattern, options: sweepOptions)
        while let page = try await scan.nextPage() {
            let own = prefixes.own(page)
            guard state.withLock({ $0.keys.fill(own, in: epoch) }) else { return false }
            try await waitWhileHeld()
        }
        let keys: Int? = state.withLock { state in
            state.keys.filled(in: epoch)
            guard state.keys.isComplete(in: epoch) else { return nil }
            state.fills += 1
            return state.keys.pages.count
        }
        guard let keys else { return false }
        onChange()
        let duration = ContinuousClock.now - start
        logger.info("Patterns are looked up", metadata: ["keys": "\(keys)", "duration": "\(duration)"])
        return true
    }

    /// Finds out which of the keys are gone that were heard of, and whether the server is still there. Returns when
    /// everything has to be read anew.
    func verify(over connections: Connections) async throws(RedisError) {
        while try await isComplete(after: Self.verifyInterval) {
            let reply = try await connections.subscribed.send(RedisCommand("PING"), deadline: target.options.deadline)
            if case .error = reply { throw Self.refusal(reply, of: "PING") }
            guard try await connections.tracking.identity(deadline: target.options.deadline) == connections.server
            else {
                throw RedisError(.disconnected, "the server's role or history has changed")
            }
            try await verifyOnce(over: connections.tracking)
            onChange()
        }
    }

    private func verifyOnce(over connection: RedisConnection) async throws(RedisError) {
        var start: [UInt8] = []
        while true {
            let (epoch, batch) = state.withLock { state in
                (state.keys.epoch, state.keys.takeHeard(from: start, limit: Self.verifyBatch))
            }
            guard let batch, let last = batch.last else { return }
            let sent = ContinuousClock.now
            let replies = try await areThere(batch, over: connection)
            let end = ContinuousClock.now
            state.withLock { $0.keys.settle(batch, replies, in: epoch) }
            start = Array(last) + [0]
            // The pace: the server has the rest of its time for those whom it serves.
            let rest = SweepPace.rest(after: end - sent, share: Self.verifyShare)
            do { try await connection.rest(until: end + rest) } catch { throw RedisError(.cancelled, "cancelled") }
            try await waitWhileHeld()
        }
    }

    /// The replies to each key's EXISTS. A Cluster's server speaks of keys whose slot is still on its way to it only to
    /// whom asks for that.
    private func areThere(
        _ keys: RedisStrings, over connection: RedisConnection
    ) async throws(RedisError) -> [RedisReply] {
        let asking = target.topology.isCluster ? [RedisCommand("ASKING")] : []
        let commands = keys.flatMap { asking + [RedisCommand("EXISTS", [Array($0)])] }
        let replies = try await connection.pipeline(commands, deadline: target.options.deadline)
        return stride(from: asking.count, to: replies.count, by: asking.count + 1).map { replies[$0] }
    }

    /// Whether everything is still known after a while; sooner when it is not.
    private func isComplete(after duration: Duration) async throws(RedisError) -> Bool {
        await withTaskGroup { group in
            // The period, unless something happens before its end.
            group.addTask { try? await Task.sleep(for: duration) }
            group.addTask { try? await self.voided.wait { self.isComplete } }
            await group.next()
            group.cancelAll()
        }
        if Task.isCancelled { throw RedisError(.cancelled, "cancelled") }
        return isComplete
    }

    private var isComplete: Bool { state.withLock { $0.keys.phase == .complete } }

    private func waitWhileHeld() async throws(RedisError) {
        do { try await target.waitWhileHeld() } catch { throw RedisError(.cancelled, "cancelled") }
    }
}
