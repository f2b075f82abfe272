import Capture
import Delivery
import Logging
import Postgres

extension Worker {
    /// What is listened to, and whether that works.
    var listening: Listening { listener?.listening ?? Listening([]) }

    /// Listens to what somebody else's triggers tell of, until the task is cancelled. Only for as long as this worker
    /// leads. Whatever happens to Postgres is waited for, and holds up nothing else.
    func listen() async {
        guard let listener else { return }
        let backoff = Backoff.exponential(base: .milliseconds(100), cap: .seconds(5))
        var random = SystemRandomNumberGenerator()
        var failures = 0
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                try await listener.listen()
            } catch {
                guard !Task.isCancelled else { return }
                if .now - start > .seconds(10) { failures = 0 }
                failures += 1
                let summary = (error as? PostgresError)?.summary ?? "\(error)"
                logger.warning("Notifications are waited for", metadata: ["reason": "\(summary)"])
                if summary != "\(error)" {
                    logger.debug("Why notifications are waited for", metadata: ["reason": "\(error)"])
                }
                let delay = backoff.delay(afterFailures: failures, using: &random)
                // Cancelled, it is the end.
                try? await Task.sleep(for: delay)
            }
        }
    }
}
