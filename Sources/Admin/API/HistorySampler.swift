import FoundationEssentials
import Synchronization
import Worker

/// Looks at the worker once a second.
final class HistorySampler: Sendable {
    private let history = Mutex(History())

    var report: History.Report { history.withLock { $0.report } }

    /// Goes on until the task is cancelled.
    func run(_ status: @Sendable () -> WorkerStatus) async {
        while !Task.isCancelled {
            let targets = status().targets
            history.withLock { $0.add(targets, at: Int(Date.now.timeIntervalSince1970)) }
            // The sample's period. What is measured between two looks is kept until the next.
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
