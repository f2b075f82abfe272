import Synchronization

/// What came of a batch.
final class BatchOutcome: Sendable {
    /// Its changes.
    let count: Int
    private let state = Mutex((isDone: false, failures: [String](), lag: Duration?.none))

    init(count: Int) { self.count = count }

    func set(_ failures: [String], lag: Duration?) {
        state.withLock { $0 = (true, Array(failures.prefix(3)), lag) }
    }

    var current: (state: ChangeEvent.State, failures: [String], lag: Duration?) {
        state.withLock { state in
            (state.isDone ? state.failures.isEmpty ? .done : .failed : .pending, state.failures, state.lag)
        }
    }
}
