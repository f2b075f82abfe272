import Metrics
import Synchronization

/// What came of the changes that made one rule fire.
public final class RuleTally: Sendable {
    /// The figures, since the process was started.
    public struct Counts: Hashable, Sendable, Codable {
        /// Changes that made the rule fire.
        public var changes = 0
        /// Keys whose deletion Redis has acknowledged, whether they were there or not.
        public var keysDeleted = 0
        /// Patterns whose keys are gone.
        public var patterns = 0
        /// Entries that have a new value.
        public var rewarmed = 0
        /// Attempts that failed.
        public var failures = 0
    }

    /// The rule's name.
    public let rule: String
    private let dimensions: [(String, String)]
    private let changes, keysDeleted, taggedKeys, patterns, loads, doneAttempts, failedAttempts, deadLetters: Counter
    private let loadTime: Metrics.Timer
    private let state = Mutex((counts: Counts(), rewarms: [String: Counter](), actions: [String: Counter]()))

    init(rule: String, target: String) {
        self.rule = rule
        let dimensions = [("target", target), ("rule", rule)]
        self.dimensions = dimensions
        changes = Counter(label: "unstale_changes_total", dimensions: dimensions)
        keysDeleted = Counter(label: "unstale_keys_deleted_total", dimensions: dimensions)
        taggedKeys = Counter(label: "unstale_tagged_keys_total", dimensions: dimensions)
        patterns = Counter(label: "unstale_patterns_total", dimensions: dimensions)
        loads = Counter(label: "unstale_loads_total", dimensions: dimensions)
        loadTime = Metrics.Timer(label: "unstale_load_seconds", dimensions: dimensions)
        doneAttempts = Counter(label: "unstale_attempts_total", dimensions: dimensions + [("result", "done")])
        failedAttempts = Counter(label: "unstale_attempts_total", dimensions: dimensions + [("result", "failed")])
        deadLetters = Counter(label: "unstale_dead_letters_total", dimensions: dimensions)
    }

    /// What was counted so far.
    public var counts: Counts { state.withLock { $0.counts } }

    /// Changes made the rule fire.
    public func fired(_ count: Int) {
        changes.increment(by: count)
        state.withLock { $0.counts.changes += count }
    }

    /// An attempt of a parked action was acknowledged.
    public func succeeded() { doneAttempts.increment() }

    /// An attempt failed, the last one where it `isDead` now.
    public func failed(isDead: Bool = false) {
        failedAttempts.increment()
        if isDead { deadLetters.increment() }
        state.withLock { $0.counts.failures += 1 }
    }

    func deleted(keys count: Int) {
        keysDeleted.increment(by: count)
        state.withLock { $0.counts.keysDeleted += count }
    }

    /// Keys that were filed under a tag.
    func deleted(taggedKeys count: Int) {
        taggedKeys.increment(by: count)
        state.withLock { $0.counts.keysDeleted += count }
    }

    /// Something else was done so many times; the metric has the word for it.
    func acted(_ action: String, _ count: Int) {
        let counter = state.withLock { state in
            if let counter = state.actions[action] { return counter }
            let counter = Counter(label: "unstale_actions_total", dimensions: dimensions + [("action", action)])
            state.actions[action] = counter
            return counter
        }
        counter.increment(by: count)
    }

    func swept(patterns count: Int) {
        patterns.increment(by: count)
        state.withLock { $0.counts.patterns += count }
    }

    func loaded(_ count: Int, in duration: Duration) {
        loads.increment(by: count)
        loadTime.record(duration: duration)
    }

    /// What became of an entry that was to be re-warmed, in the word that the metric has for it.
    func rewarm(_ outcome: String) {
        let counter = state.withLock { state in
            if outcome == "stored" { state.counts.rewarmed += 1 }
            if let counter = state.rewarms[outcome] { return counter }
            let counter = Counter(label: "unstale_rewarms_total", dimensions: dimensions + [("outcome", outcome)])
            state.rewarms[outcome] = counter
            return counter
        }
        counter.increment()
    }
}
