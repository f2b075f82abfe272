import Dispatch

/// A thread for all that the admin port does, so that however long it takes, what the worker does never waits for it.
final class AdminExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "unstale.admin")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
