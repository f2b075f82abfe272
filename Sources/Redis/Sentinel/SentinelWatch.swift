/// Hears from Sentinels when the master is another server.
public struct SentinelWatch: Sendable {
    private let sentinels: SentinelGroup
    private let interval: Duration

    /// Nil: the deployment has no Sentinels.
    ///
    /// - Parameter interval: how often it is seen whether a Sentinel that says nothing is still there.
    public init?(
        _ url: RedisURL, interval: Duration, options: RedisConnectionOptions = .init()
    ) {
        guard case .sentinel(let sentinels, let master) = url.deployment else { return nil }
        self.sentinels = SentinelGroup(url: url, sentinels: sentinels, master: master, options: options)
        self.interval = interval
    }

    /// Returns when a Sentinel says that the master is another than the one the connection leads to, or when the task
    /// is cancelled. Sentinels that can't be reached are tried again and again.
    public func switched(from connection: RedisConnection) async {
        guard case .standalone(let address) = connection.url.deployment else { return }
        await withTaskGroup { tasks in
            for sentinel in sentinels.sentinels { tasks.addTask { await follow(sentinel, from: address) } }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func follow(_ sentinel: RedisURL.Address, from address: RedisURL.Address) async {
        while !Task.isCancelled {
            if let connection = try? await sentinels.connect(to: sentinel) {
                let hasSwitched = await listen(to: sentinel, by: connection, from: address)
                connection.close()
                if hasSwitched { return }
            }
            try? await Task.sleep(for: interval)
        }
    }

    /// Returns when the Sentinel tells of another master, or false when it is lost.
    private func listen(
        to sentinel: RedisURL.Address, by connection: RedisConnection, from address: RedisURL.Address
    ) async -> Bool {
        let news = OneShot<Bool, RedisError>(cancellation: .cancelled)
        let name = sentinels.master
        let deadline = sentinels.options.connectTimeout
        do throws(RedisError) {
            try await connection.subscribe(to: [SentinelSwitch.channel], deadline: deadline) { message in
                guard let change = SentinelSwitch(message.payload.text ?? ""), change.name == name else { return }
                if change.master != address { news.resolve(.success(true)) }
            }
        } catch {
            return false
        }
        // What happened before the subscription. One that was cut off from the others doesn't decide it alone.
        let answer = await sentinels.ask(sentinel)
        if case .success(let own) = answer, own.master != address {
            var survey = await sentinels.ask()
            survey.file(answer, of: sentinel)
            if let best = survey.masters.first, best != address { return true }
        }
        return await withTaskGroup { tasks in
            tasks.addTask { (try? await news.value()) ?? false }
            tasks.addTask {
                while (try? await Task.sleep(for: interval)) != nil,
                    (try? await connection.send(RedisCommand("PING"), deadline: deadline)) != nil
                {}
                return false
            }
            let hasSwitched = await tasks.next()
            tasks.cancelAll()
            return hasSwitched ?? false
        }
    }
}
