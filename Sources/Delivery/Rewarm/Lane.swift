import DequeModule
import Rules

/// A loader: one `rewarm` of a rule.
struct LaneID: Hashable, Comparable, Sendable {
    var rule: Int
    var entry: Int

    init(rule: Int, entry: Int) {
        self.rule = rule
        self.entry = entry
    }

    init(_ call: RewarmCall) { self.init(rule: call.rule, entry: call.entry) }

    static func < (a: LaneID, b: LaneID) -> Bool { (a.rule, a.entry) < (b.rule, b.entry) }
}

/// What a loader may still do: its budget, and the entries that wait for it.
struct Lane: Sendable {
    /// How long an entry's old value may be served.
    let deadline: Duration
    /// The longest that an entry which changes all the time waits for its next load. Two fifths of its deadline
    /// are left for that.
    var longestInterval: Duration { min(ChangeRate.longestInterval, deadline * 3 / 5) }
    /// The most entries in one load.
    var batchSize: Int { didSet { batchSize = min(batchSize, largestBatch) } }
    /// Of so many entries all values may be as large as the rule allows, however small the last ones were, and still
    /// fit into memory.
    private let largestBatch: Int
    /// Entries that wait, those that wait for their time included.
    var waiting = 0
    /// Entries that were given up, and are not deleted yet: while Redis is down they become no fewer.
    var leaving = 0
    /// Loads under way.
    var running = 0
    /// Changes in about the last second.
    private var recent = 0.0
    private var countedAt: ContinuousClock.Instant
    /// Keys that may be loaded now. One that was given up meanwhile is still in here.
    var ready: Deque<Key> = []
    private let budget: Rewarm.Budget
    /// Loads that the rate allows at this moment.
    private var allowance: Double
    private var refilledAt: ContinuousClock.Instant

    init(_ rewarm: Rewarm, at now: ContinuousClock.Instant) {
        deadline = rewarm.deadline
        budget = rewarm.budget
        largestBatch = rewarm.sql == nil ? 1 : max(1, (64 << 20) / rewarm.maxBytes)
        batchSize = min(256, largestBatch)
        allowance = Double(budget.queue)
        refilledAt = now
        countedAt = now
    }

    /// An entry went stale.
    mutating func changed(at now: ContinuousClock.Instant) {
        let seconds = (now - countedAt) / .seconds(1)
        recent = recent / (1 + seconds) + 1
        countedAt = now
    }

    /// Whether entries go stale so often that loads are to be saved: more than 200 times a second.
    var isBusy: Bool { recent > 200 }

    /// Whether so many entries are yet to be deleted that no more can be taken on.
    var isBehind: Bool { leaving >= budget.queue }

    /// Whether another load may begin.
    var hasRoom: Bool { running < budget.concurrency }

    /// Takes an entry's load from the budget; false where it is used up.
    mutating func admit(at now: ContinuousClock.Instant) -> Bool {
        let earned = (now - refilledAt) / .seconds(1) * Double(budget.rate)
        allowance = min(Double(budget.queue), allowance + earned)
        refilledAt = now
        guard waiting + leaving < budget.queue, allowance >= 1 else { return false }
        allowance -= 1
        waiting += 1
        return true
    }
}
