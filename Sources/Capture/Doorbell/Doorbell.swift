import Metrics
public import Postgres
import Synchronization

/// Puts the worker to sleep and wakes it, so that no change waits and writers hardly ever ring.
///
/// A NOTIFY in every transaction takes a lock over all commits of the instance. So a writer rings only while the
/// worker sleeps: it tries the doorbell's advisory lock shared, and where that fails, somebody sleeps. Asking for
/// the lock exclusively is enough to make writers ring: a waiting request makes shared tries fail. Only the
/// writers that the request waits for won't ring; until it is granted, the worker polls for them.
///
/// It is for one reader, and no actor: so it runs wherever that one does.
public final class Doorbell: Sendable {
    private let connections: Connections?
    private let state: Mutex<DoorbellState>
    private let clock = ContinuousClock()
    private let rings = Counter(label: "unstale_doorbell_rings_total")
    private let sweeps = Counter(label: "unstale_doorbell_sweeps_total")
    private static let doing = "arming the doorbell"

    /// The two connections of `wake: notify`: a backend that waits for a lock delivers no notification.
    public struct Connections: Sendable {
        let listener: PostgresConnection
        let lock: PostgresConnection

        /// `listener` may be the one that reads, so that nothing is between the ring and the read; it must run
        /// nothing that takes long.
        public init(listener: PostgresConnection, lock: PostgresConnection) {
            self.listener = listener
            self.lock = lock
        }
    }

    /// A doorbell; without connections (`wake: poll`) nobody rings and the worker reads by the clock.
    public init(
        _ connections: Connections?, sweep: Duration? = .seconds(1), pace: Duration = .milliseconds(5),
        quiet: Duration = .milliseconds(50)
    ) {
        self.connections = connections
        state = Mutex(DoorbellState(pace: DoorbellState.Pace(awake: pace, quiet: quiet, sweep: sweep)))
    }

    /// Begins to listen. Once, before the first `wait`.
    public func open() async throws(PostgresError) {
        guard let connections else { return }
        try await connections.listener.script("LISTEN unstale", doing: Self.doing)
        // A dead worker's backend that waits for the lock notices it by this; until then writers would ring.
        try await connections.lock.script("SET client_connection_check_interval = '1s'", doing: Self.doing)
    }

    /// Takes note of what a read brought: asks for the lock after an empty one, gives it up when there is plenty.
    public func didRead(_ batch: Batch) async throws(PostgresError) { try await didLook(batch.look) }

    /// Takes note of what is there to be read by others.
    public func didLook(_ look: Look) async throws(PostgresError) {
        let action = state.withLock { state in
            state.didRead(
                records: look.records, isFull: look.isFull, snapshot: look.snapshot, begun: look.begun, at: clock.now)
        }
        switch action {
        case .none: break
        case .askForLock:
            try await connections?.lock.start(
                "SELECT pg_advisory_lock(\(AdvisoryLock.doorbell.arguments))", doing: Self.doing)
        case .releaseLock(let isHeld): try await release(isHeld: isHeld)
        }
    }

    /// Lets writers commit without ringing, as the worker can't read for a while: what nobody takes would pile up
    /// in Postgres' queue of notifications.
    public func standDown() async throws(PostgresError) {
        if case .releaseLock(let isHeld) = state.withLock({ $0.standDown() }) { try await release(isHeld: isHeld) }
    }

    /// Ends a `wait` that is going on.
    public func endWait() { connections?.listener.endWait() }

    /// The lock connection holds no other lock. Where the request was stopped the very moment it was granted, the
    /// lock is held too, so it is given back in any case.
    private func release(isHeld: Bool) async throws(PostgresError) {
        guard let lock = connections?.lock else { return }
        if !isHeld { try await lock.stop(doing: Self.doing) }
        try await lock.script("SELECT pg_advisory_unlock_all()", doing: Self.doing)
    }

    /// Waits until it is time to read again; returns whether somebody rang.
    @discardableResult
    public func wait() async throws(PostgresError) -> Bool {
        let (mode, wait) = state.withLock { ($0.mode, $0.wait) }
        if mode == .arming, let lock = connections?.lock, try await lock.isFinished(doing: Self.doing) {
            // What was committed before the grant by a writer that did not ring is read once more.
            state.withLock { $0.didLock() }
            return false
        }
        let timeout = wait ?? .seconds(3_600)
        // Awake, the pace holds: what still rings comes from writers that found the lock taken before.
        guard mode != .awake, let connections else {
            do {
                try await clock.sleep(for: timeout)
                return false
            } catch {
                throw PostgresError(code: .cancelled, message: "cancelled", doing: "waiting for changes")
            }
        }
        let didRing = try await connections.listener.waitForNotification(within: timeout)
        if didRing { rings.increment() } else if mode == .armed { sweeps.increment() }
        return didRing
    }
}
