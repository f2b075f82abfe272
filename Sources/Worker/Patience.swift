import Delivery
import Logging
import Postgres

/// What is waited for whatever happens to it: how long after each failure, and what is said of it. A value.
struct Patience {
    private let what: Logger.Message
    private let why: Logger.Message
    private let backoff: Backoff
    private let steady: Duration
    private let logger: Logger
    private var random = SystemRandomNumberGenerator()
    private var failures = 0
    private var lastFailure: String?

    /// - Parameters:
    ///   - what: What is said of a failure.
    ///   - why: … of all that the server said, at `debug`.
    ///   - cap: The longest wait.
    ///   - steady: What lasted longer than this has worked, and failures are counted anew.
    init(_ what: Logger.Message, why: Logger.Message, cap: Duration, steady: Duration, logger: Logger) {
        self.what = what
        self.why = why
        backoff = .exponential(base: .milliseconds(100), cap: cap)
        self.steady = steady
        self.logger = logger
    }

    /// What began at `start` has failed: gives the time to wait. A failure that repeats itself is said once.
    mutating func failed(_ error: any Error, since start: ContinuousClock.Instant) -> Duration {
        if .now - start > steady { failures = 0 }
        failures += 1
        if "\(error)" != lastFailure || failures == 1 {
            let summary = (error as? PostgresError)?.summary ?? "\(error)"
            logger.warning(what, metadata: ["reason": "\(summary)"])
            if summary != "\(error)" { logger.debug(why, metadata: ["reason": "\(error)"]) }
        }
        lastFailure = "\(error)"
        return backoff.delay(afterFailures: failures, using: &random)
    }
}
