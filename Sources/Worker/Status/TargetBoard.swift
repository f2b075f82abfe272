import Metrics
import Synchronization

/// What a worker knows of a target besides what its parts count, for whoever asks; it outlives its sessions.
final class TargetBoard: Sendable {
    private struct State {
        var problems: [WorkerState.Problem] = []
        var order: Bool?
        var letters = (retrying: 0, dead: 0)
        var batches = 0
        var records = 0
        var replays = 0
    }

    private let state = Mutex(State())
    private let batches, records, replays: Counter

    init(target: String) {
        let dimensions = [("target", target)]
        batches = Counter(label: "unstale_batches_total", dimensions: dimensions)
        records = Counter(label: "unstale_records_total", dimensions: dimensions)
        replays = Counter(label: "unstale_replays_total", dimensions: dimensions)
    }

    // MARK: What happens

    func set(problems: [WorkerState.Problem]) { state.withLock { $0.problems = problems } }

    func set(retrying: Int, dead: Int) { state.withLock { $0.letters = (retrying, dead) } }

    /// An operator's word counts more than what was stored before.
    func set(order isHeld: Bool) { state.withLock { $0.order = isHeld } }

    /// Another worker leads, sees to the faults, and may have got a newer order.
    func forgetSession() {
        state.withLock { state in
            state.order = nil
            state.problems = []
            state.letters = (0, 0)
        }
    }

    func read(records count: Int) {
        records.increment(by: count)
        state.withLock { $0.records += count }
    }

    func delivers() {
        batches.increment()
        state.withLock { $0.batches += 1 }
    }

    func replays(_ count: Int = 1) {
        replays.increment(by: count)
        state.withLock { $0.replays += count }
    }

    // MARK: What is known

    var order: Bool? { state.withLock { $0.order } }

    var degraded: [WorkerStatus.Fault] {
        state.withLock { $0.problems }.map { problem in
            WorkerStatus.Fault(
                table: problem.table, reason: problem.reason, command: problem.command,
                losesChanges: problem.losesChanges)
        }
    }

    var letters: (retrying: Int, dead: Int) { state.withLock { $0.letters } }

    var totals: TargetReport.Totals {
        state.withLock { state in
            var totals = TargetReport.Totals()
            totals.batches = state.batches
            totals.records = state.records
            totals.replays = state.replays
            return totals
        }
    }
}
