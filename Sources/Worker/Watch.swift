import Capture
import Postgres

/// Minds the one doorbell for the readers of several targets. It looks at the outbox where a single reader would read
/// it, on the connection that hears the ring, and tells all readers when there is something new. So the worker
/// sleeps while there is nothing for any of them, and a reader that can't go on keeps nobody from hearing.
struct Watch: Sendable {
    let outbox: Outbox
    let doorbell: Doorbell
    /// A reader's each.
    let chimes: [String: Chime]
    /// Where the connection runs: its thread waits for the doorbell.
    let executor: any TaskExecutor
    /// How often readers look although there is nothing new, for there is more than records that they have to see to.
    private static let interval = Duration.seconds(1)

    /// Goes on until the task is cancelled or the connection fails.
    func run() async throws {
        try await withTaskExecutorPreference(executor) {
            var seen = try await outbox.here()
            // What was committed before that may have come too late for their first reads.
            strike()
            var struck = ContinuousClock.now
            while true {
                let look = try await outbox.look(beyond: seen)
                seen = look.snapshot
                if look.records > 0 || .now - struck >= Self.interval {
                    strike()
                    struck = .now
                }
                try await doorbell.didLook(look)
                try await doorbell.wait()
            }
        }
    }

    private func strike() {
        for chime in chimes.values { chime.strike() }
    }
}
