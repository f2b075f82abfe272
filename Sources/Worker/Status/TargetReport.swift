public import Delivery

/// How a target stands.
public struct TargetReport: Sendable, Codable {
    /// Whether it takes commands.
    public enum State: String, Sendable, Codable {
        /// It was never reached.
        case connecting
        /// It does.
        case connected
        /// It is waited for.
        case paused
    }

    /// What was done since the process was started.
    public struct Totals: Sendable, Codable {
        /// Changes that made some rule fire, once for each rule.
        public var changes = 0
        /// Batches that asked for something.
        public var batches = 0
        /// Records of the outbox that were read.
        public var records = 0
        /// Keys whose deletion was acknowledged.
        public var keysDeleted = 0
        /// Keys that were deleted by pattern.
        public var keysSwept = 0
        /// Entries that have a new value.
        public var rewarmed = 0
        /// Attempts that failed.
        public var failures = 0
        /// Times that the window was replayed.
        public var replays = 0
    }

    /// A rule's share.
    public struct RuleReport: Sendable, Codable {
        /// The rule's name.
        public var name: String
        /// Changes that made it fire.
        public var changes: Int
        /// Keys whose deletion was acknowledged.
        public var keysDeleted: Int
        /// Patterns whose keys are gone.
        public var patterns: Int
        /// Entries that have a new value.
        public var rewarmed: Int
        /// Attempts that failed.
        public var failures: Int
    }

    /// Its name.
    public var name: String
    /// Where it is, without the password.
    public var redis: String
    /// Whether it takes commands.
    public var state: State
    /// Why not; nil: it does.
    public var reason: String?
    /// Whether an operator has it left alone.
    public var isHeld: Bool
    /// Whether the outbox did not keep all that it needs, and it has not been recorded since that all rows changed.
    public var needsResync = false
    /// Seconds since the oldest change that is not served yet was committed; 0: there is none.
    public var lagSeconds: Double
    /// The longest that a change took which was served within the last second or so, from its commit; 0: none was.
    public var slowestSeconds = 0.0
    /// Records that are not served yet.
    public var backlog: Int
    /// Failed actions that are tried again.
    public var retrying: Int
    /// Failed actions that are tried no more.
    public var deadLetters: Int
    /// What was done.
    public var totals: Totals
    /// What was done for each rule, in their order.
    public var rules: [RuleReport]
    /// What became of entries that were to be re-warmed.
    public var rewarms: RewarmStatistics
    /// How the index of its keys stands; nil: it has none.
    public var index: KeyIndexStatus?

    /// As JSON; what is nil is null there, and not left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(redis, forKey: .redis)
        try container.encode(state, forKey: .state)
        try container.encode(reason, forKey: .reason)
        try container.encode(isHeld, forKey: .isHeld)
        try container.encode(needsResync, forKey: .needsResync)
        try container.encode(lagSeconds, forKey: .lagSeconds)
        try container.encode(slowestSeconds, forKey: .slowestSeconds)
        try container.encode(backlog, forKey: .backlog)
        try container.encode(retrying, forKey: .retrying)
        try container.encode(deadLetters, forKey: .deadLetters)
        try container.encode(totals, forKey: .totals)
        try container.encode(rules, forKey: .rules)
        try container.encode(rewarms, forKey: .rewarms)
        try container.encode(index, forKey: .index)
    }
}
