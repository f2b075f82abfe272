import ArgumentParser

/// The flags about the capture.
struct CaptureOptions: ParsableArguments {
    @Option(help: "notify or poll [UNSTALE_WAKE, wake]; default: notify.")
    var wake: String?

    @Option(
        help: ArgumentHelp(
            "Role that the worker connects as; it is granted what it needs [UNSTALE_WORKER_ROLE, worker.role].",
            valueName: "name"))
    var workerRole: String?

    @Option(help: "How long to try for the tables' locks [UNSTALE_LOCK_TIMEOUT, lock.timeout]; default: 5s.")
    var lockTimeout: String?

    @Option(
        help: "How long records are kept for replay [UNSTALE_REPLAY_WINDOW, replay.window]; default: 15m.")
    var replayWindow: String?

    @Option(
        help: ArgumentHelp(
            "Rows of one statement that are recorded one by one, at most [UNSTALE_ROW_LIMIT, row.limit]; "
                + "default: 50000."))
    var rowLimit: String?

    @Flag(help: "Record what logical replication writes too [UNSTALE_ALWAYS, always].")
    var always = false

    /// The flags as settings.
    var flags: [String: String] {
        let all = [
            "wake": wake, "worker.role": workerRole, "lock.timeout": lockTimeout,
            "replay.window": replayWindow, "row.limit": rowLimit, "always": always ? "true" : nil,
        ]
        return all.compactMapValues { $0 }
    }
}
