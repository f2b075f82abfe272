import Dispatch

/// Runs an actor on a serial dispatch queue of its own, so that its blocking calls never hold a thread of the
/// cooperative pool.
final class QueueExecutor: SerialExecutor {
    /// The same queue, for tasks that prefer it.
    let forTasks: QueueTaskExecutor
    private let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
        forTasks = QueueTaskExecutor(queue: queue)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async {
            job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.forTasks.asUnownedTaskExecutor())
        }
    }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}

/// Runs tasks on the queue of an actor. A type of its own: what runs on a serial executor is taken to be its actor's, and
/// a task would be enqueued anew wherever it calls a function that isn't, or returns from one.
final class QueueTaskExecutor: TaskExecutor {
    private let queue: DispatchQueue

    init(queue: DispatchQueue) { self.queue = queue }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
