public import FoundationEssentials

/// How a worker stands, as it knows it itself: nothing is asked of a server.
public struct WorkerStatus: Sendable, Codable {
    /// What it does.
    public enum State: String, Sendable, Codable {
        /// It has not reached Postgres yet.
        case starting
        /// It waits for Postgres.
        case waiting
        /// Another worker leads.
        case standingBy
        /// It serves changes.
        case leading
    }

    /// The rules that it serves.
    public struct Rules: Sendable, Codable {
        /// How many.
        public var count: Int
        /// Since when.
        public var loadedAt: Date
        /// What is wrong with newer ones that were refused, a line each.
        public var refused: [String]
    }

    /// Something that doesn't work as it is to.
    public struct Fault: Sendable, Codable, Equatable {
        /// The table.
        public var table: String
        /// What is wrong and what to do, on one line.
        public var reason: String
        /// The command that mends it; nil: none does.
        public var command: String?
        /// Whether changes may be missing.
        public var losesChanges: Bool

        /// As JSON; what is nil is null there, and not left out.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(table, forKey: .table)
            try container.encode(reason, forKey: .reason)
            try container.encode(command, forKey: .command)
            try container.encode(losesChanges, forKey: .losesChanges)
        }
    }

    /// Host and process.
    public var worker: String
    /// When the process was started.
    public var startedAt: Date
    /// What it does.
    public var state: State
    /// Why it waits; nil: it doesn't.
    public var reason: String?
    /// The rules that it serves.
    public var rules: Rules
    /// What is degraded.
    public var degraded: [Fault]
    /// Where it delivers to.
    public var targets: [TargetReport]

    /// As JSON; what is nil is null there, and not left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(worker, forKey: .worker)
        try container.encode(startedAt, forKey: .startedAt)
        try container.encode(state, forKey: .state)
        try container.encode(reason, forKey: .reason)
        try container.encode(rules, forKey: .rules)
        try container.encode(degraded, forKey: .degraded)
        try container.encode(targets, forKey: .targets)
    }
}
