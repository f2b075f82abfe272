import Delivery
import Logging
import Rules

/// Actions that failed on their own account are tried again.
extension Serving {
    /// About so many at a time: what one leads to may be done once more much later, and waits in memory until then.
    private static let mostLettersUnderWay = 1_000

    /// Tries parked actions again when they are due. Whatever one of them waits for, others don't.
    func retryParked() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            let (lookups, queue) = AsyncStream.makeStream(of: DeadLetters.Letter.self)
            group.addTask { await self.retryInTurn(lookups) }
            while true {
                let underWay = lettersUnderWay.withLock { $0 }
                let hasRoom = underWay.count < Self.mostLettersUnderWay
                let due = hasRoom ? try await parts.deadLetters.due(target: served.name, besides: underWay) : []
                lettersUnderWay.withLock { $0.formUnion(due.map(\.id)) }
                for letter in due {
                    if letter.isLookup { queue.yield(letter) } else { group.addTask { await self.retry(letter) } }
                }
                // The period of a look: letters are due by the clock, and one that others redrive is found within it.
                try await Task.sleep(for: due.isEmpty ? .seconds(2) : .milliseconds(500))
            }
        }
    }

    /// Tries lookups again. Those of new changes share a connection with them, and wait for one at most: the next
    /// begins when what the last one found is gone.
    private func retryInTurn(_ letters: AsyncStream<DeadLetters.Letter>) async {
        await withDiscardingTaskGroup { group in
            for await letter in letters {
                let (turn, end) = AsyncStream.makeStream(of: Void.self)
                group.addTask {
                    defer { end.finish() }
                    await self.retry(letter) { _ in end.finish() }
                }
                for await _ in turn {}
            }
        }
    }

    private func retry(_ letter: DeadLetters.Letter, onDeleted: @Sendable (Plan) -> Void = { _ in }) async {
        defer { lettersUnderWay.withLock { _ = $0.remove(letter.id) } }
        do {
            try await attempt(letter, onDeleted)
        } catch is CancellationError {
            // Stopped half-way: it is due as before.
        } catch {
            failedDelivery.resolve(.failure(error))
        }
    }

    /// One attempt, one outcome.
    private func attempt(_ letter: DeadLetters.Letter, _ onDeleted: @Sendable (Plan) -> Void) async throws {
        let planner = planner(isLate: true)
        var reason: String?
        var summary: String?
        do {
            let plan = try letter.plan(planner)
            let failure = try await parts.deliverer.deliver(plan, planner: planner, onDeleted: onDeleted).first
            if let failure { log(failure) }
            (reason, summary) = (failure?.reason, failure?.summary)
        } catch let error as DeadLetters.UnreadableLetter {
            (reason, summary) = (error.description, error.description)
        }
        let tally = served.tally.rule(letter.rule)
        guard let reason else {
            try await parts.deadLetters.settle(letter)
            return tally.succeeded()
        }
        let isDead = try await parts.deadLetters.failedAgain(letter, reason: reason)
        tally.failed(isDead: isDead)
        if isDead {
            logger.error(
                "An action is a dead letter now: see 'unstale dead-letters'",
                metadata: ["rule": "\(letter.rule)", "id": "\(letter.id)", "reason": "\(summary ?? "")"])
        }
    }
}
