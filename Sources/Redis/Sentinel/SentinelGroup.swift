/// The Sentinels that watch over one master.
struct SentinelGroup: Sendable {
    let url: RedisURL
    let sentinels: [RedisURL.Address]
    let master: String
    let options: RedisConnectionOptions

    /// How much longer than half of the answers the others may take, so that a newer one among them counts.
    private static let grace = Duration.milliseconds(200)

    private enum News {
        case answer(Result<SentinelAnswer, RedisError>, of: RedisURL.Address)
        case timeIsUp
    }

    /// Asks all of them at the same time. Returns within the timeout of connecting, and soon after as many have answered
    /// as are silent: a single one may have been cut off from the others.
    func ask() async -> SentinelSurvey {
        await withTaskGroup { tasks in
            for sentinel in sentinels { tasks.addTask { await News.answer(ask(sentinel), of: sentinel) } }
            tasks.addTask { await Self.timeIsUp(after: options.connectTimeout) }
            var survey = SentinelSurvey()
            var silent = Set(sentinels)
            var isEnough = false
            while !silent.isEmpty, case .answer(let result, let sentinel)? = await tasks.next() {
                survey.file(result, of: sentinel)
                silent.remove(sentinel)
                if !isEnough, survey.answerCount >= silent.count {
                    isEnough = true
                    tasks.addTask { await Self.timeIsUp(after: Self.grace) }
                }
            }
            tasks.cancelAll()
            for sentinel in sentinels where silent.contains(sentinel) {
                survey.file(.failure(.noAnswer(within: options.connectTimeout)), of: sentinel)
            }
            return survey
        }
    }

    /// Asks one of them.
    func ask(_ sentinel: RedisURL.Address) async -> Result<SentinelAnswer, RedisError> {
        do throws(RedisError) {
            let connection = try await connect(to: sentinel)
            defer { connection.close() }
            let replies = try await connection.pipeline(
                SentinelAnswer.questions(about: master), deadline: options.connectTimeout)
            return .success(try SentinelAnswer(replies, about: master))
        } catch {
            return .failure(error)
        }
    }

    /// Connects to one of them.
    func connect(to sentinel: RedisURL.Address) async throws(RedisError) -> RedisConnection {
        try await RedisConnection.connect(to: url.sentinel(at: sentinel), at: sentinel, options: options)
    }

    private static func timeIsUp(after delay: Duration) async -> News {
        try? await Task.sleep(for: delay)
        return .timeIsUp
    }
}

extension RedisConnection {
    /// Connects to the server that Sentinels call by this name, if it says itself that it is a master: one that has
    /// just come back, or a Sentinel that was cut off, may still be of another opinion than the rest.
    static func connect(
        toMaster name: String, of url: RedisURL, _ sentinels: [RedisURL.Address],
        options: RedisConnectionOptions
    ) async throws(RedisError) -> RedisConnection {
        let sentinels = SentinelGroup(url: url, sentinels: sentinels, master: name, options: options)
        let survey = await sentinels.ask()
        if Task.isCancelled { throw .cancelled }
        var fault: RedisError?
        for address in survey.masters {
            do throws(RedisError) {
                let connection = try await connect(to: url.at(address), at: address, options: options)
                if try await connection.identity(deadline: options.connectTimeout).role == .master { return connection }
                throw RedisError(.refused, "it is a replica")
            } catch {
                if error.code == .cancelled { throw error }
                if fault == nil { fault = RedisError(error.code, "the master \(address): \(error.message)") }
            }
        }
        throw fault ?? survey.fault
    }
}
