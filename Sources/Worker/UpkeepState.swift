import Capture

/// What a session knows of the capture and the target, and which tables have to count as changed. A value.
struct UpkeepState: Sendable {
    /// The Redis that the cursor is about, as JSON.
    var server: String?
    /// Faults of the capture, as they were last seen.
    private(set) var problems: [WorkerState.Problem]
    /// Tables that may have lost changes, and the version of their triggers that will have been made good.
    private var pending: [String: String] = [:]
    /// Captures that failed of late, by table.
    private var failures: [String: (reason: String, at: ContinuousClock.Instant)] = [:]
    /// How long a capture that failed counts as degraded.
    private static let failureMemory = Duration.seconds(300)
    private var confirmedVersions: [String: String]
    /// How far the target had been served at earlier times.
    private var history: ServedHistory
    /// When that was looked at last, in this session.
    private var seenAt: ServerTime?
    /// The time until which the history is delayed; nil: the target can be reached.
    private var delayedUntil: ServerTime?
    /// How long records are kept once every target has passed them.
    private(set) var replayWindow: Duration

    /// What was stored when the session began.
    init(server: String?, state: WorkerState, replayWindow: Duration) {
        self.server = server
        self.replayWindow = replayWindow
        history = state.history ?? ServedHistory()
        problems = state.problems
        confirmedVersions = state.triggerVersions
    }

    /// Takes note of how the capture is; returns the problems that are new and those that are over.
    ///
    /// A trigger that was altered since may have been disabled for a while, and a table that lost changes and
    /// does so no more lost some: every row of theirs counts as changed.
    mutating func examined(
        _ capture: CaptureState, at instant: ContinuousClock.Instant
    ) -> (new: [WorkerState.Problem], over: [WorkerState.Problem]) {
        replayWindow = capture.replayWindow
        failures = failures.filter { instant - $0.value.at < Self.failureMemory }
        let failing = failures.map { table, failure in
            WorkerState.Problem(
                table: table,
                reason: "the capture of \(table) fails, so its keys go by pattern: \(failure.reason)",
                losesChanges: false, isFailure: true)
        }
        let now =
            capture.problems.map { problem in
                WorkerState.Problem(
                    table: problem.table.description, reason: problem.reason,
                    losesChanges: problem.losesChanges, command: problem.command)
            } + failing.sorted { $0.table < $1.table }
        let losing = Set(now.filter(\.losesChanges).map(\.table))
        for (table, version) in capture.triggerVersions {
            let lost = problems.contains { $0.table == table && $0.losesChanges } && !losing.contains(table)
            let altered = confirmedVersions[table].map { $0 != version } ?? false
            if lost || altered {
                pending[table] = version
            } else if pending[table] == nil {
                confirmedVersions[table] = version
            }
        }
        defer { problems = now }
        return (now.filter { !problems.contains($0) }, problems.filter { !now.contains($0) })
    }

    /// A capture could not tell which rows of a table changed; returns whether that is news.
    mutating func failed(_ table: String, _ reason: String, at instant: ContinuousClock.Instant) -> Bool {
        let previous = failures.updateValue((reason, instant), forKey: table)
        return previous?.reason != reason
    }

    /// The tables that are to count as changed.
    var gaps: Set<String> { Set(pending.keys) }

    /// It is recorded that every row of these tables has changed.
    mutating func repaired() {
        confirmedVersions.merge(pending) { $1 }
        pending = [:]
    }

    /// The target has been served up to here, if it can be reached. While it can't, its history is delayed, by some time
    /// beforehand: it is stored whenever it is another one.
    mutating func served(_ cursor: Snapshot, at now: ServerTime, isReached: Bool) {
        defer { seenAt = now }
        if isReached {
            if let delayedUntil { history.delay(from: delayedUntil, to: now) }
            delayedUntil = nil
            return history.note(cursor, at: now, window: replayWindow)
        }
        // What was delayed in another session is seen by its last mark.
        let seen = [seenAt, history.latest].compactMap { $0 }.max { $0.microseconds < $1.microseconds }
        let start = delayedUntil ?? seen
        guard let start, start.microseconds <= now.microseconds else { return }
        let end = ServerTime(microseconds: now.microseconds + Int64(replayWindow / .microseconds(1)) / 32)
        history.delay(from: start, to: end)
        delayedUntil = end
    }

    /// What was recorded before means nothing to the target any more.
    mutating func begins(at cursor: Snapshot) { history = ServedHistory(beginningAt: cursor) }

    /// What is stored with the cursor.
    func state(pausedReason: String?, worker: String) -> WorkerState {
        // What is yet to be repaired has no version that a session after a crash could take for confirmed.
        let versions = confirmedVersions.merging(pending.mapValues { _ in "" }) { $1 }
        return WorkerState(
            pausedReason: pausedReason, problems: problems, triggerVersions: versions,
            history: history.isEmpty ? nil : history, worker: worker)
    }
}
