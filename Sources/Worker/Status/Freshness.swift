import Capture
import Metrics
import Synchronization

/// How old the changes are that are not served yet, and how old each was when it was.
final class Freshness: Sendable {
    /// Stands for a batch.
    struct Ticket: Sendable {
        fileprivate let number: Int
        fileprivate let committedAt: [ServerTime]
    }

    private struct State {
        var clock: ServerClock?
        var unserved: [Int: (oldest: ServerTime, records: Int)] = [:]
        var lastNumber = 0
        var unread = 0
        var slowest = SlowestLately()
    }

    private let start = ContinuousClock.now
    private let state = Mutex(State())
    private let lag: Metrics.Timer

    /// The target's freshness.
    init(target: String) {
        lag = Metrics.Timer(label: "unstale_delivery_lag_seconds", dimensions: [("target", target)])
    }

    /// The server's time; nil before it was asked.
    var now: ServerTime? { state.withLock { $0.clock?.time(at: .now) } }

    /// Sets the clock, for our own may be minutes off.
    func set(_ clock: ServerClock) { state.withLock { $0.clock = clock } }

    /// So many records wait that were not even read.
    func set(unread count: Int) { state.withLock { $0.unread = count } }

    /// A new session begins: what the last one had in flight is read again.
    func reset() {
        state.withLock { state in
            state.unserved = [:]
            state.unread = 0
        }
    }

    /// A batch was read.
    ///
    /// - Parameter floor: When a read saw everything that was committed. What it did not see was committed later,
    ///   however long before that its statement ran.
    func begin(_ writtenAt: [ServerTime], floor: ServerTime?) -> Ticket {
        let committedAt = floor.map { floor in writtenAt.map { max($0, floor) } } ?? writtenAt
        return state.withLock { state in
            state.lastNumber += 1
            if let oldest = committedAt.min() { state.unserved[state.lastNumber] = (oldest, committedAt.count) }
            return Ticket(number: state.lastNumber, committedAt: committedAt)
        }
    }

    /// A batch asks for nothing.
    func end(_ ticket: Ticket) { state.withLock { $0.unserved[ticket.number] = nil } }

    /// All that a batch asks for has been done once. Gives the age of its oldest change.
    func served(_ ticket: Ticket) -> Duration? {
        let now = ContinuousClock.now
        let clock = state.withLock { state in
            state.unserved[ticket.number] = nil
            return state.clock
        }
        guard let clock, let oldest = ticket.committedAt.min() else { return nil }
        let time = clock.time(at: now)
        for moment in ticket.committedAt { lag.recordMicroseconds(moment.microseconds(until: time)) }
        let worst = Duration.microseconds(oldest.microseconds(until: time))
        state.withLock { $0.slowest.add(worst, at: second(now)) }
        return worst
    }

    /// The longest that a change took of those that were served in this second or in the one before.
    var slowest: Duration {
        let second = second(.now)
        return state.withLock { $0.slowest.value(at: second) }
    }

    private func second(_ now: ContinuousClock.Instant) -> Int64 { start.duration(to: now).components.seconds }

    /// Records that were read and are not served.
    var unserved: Int { state.withLock { $0.unserved.values.reduce(0) { $0 + $1.records } } }

    /// The age of the oldest change that is not served, and how many records there are of such.
    var backlog: (lag: Duration, records: Int) {
        let now = ContinuousClock.now
        return state.withLock { state in
            let oldest = state.unserved.values.map(\.oldest).min()
            let age = oldest.flatMap { moment in state.clock?.age(of: moment, at: now) }
            return (age ?? .zero, state.unserved.values.reduce(state.unread) { $0 + $1.records })
        }
    }
}
