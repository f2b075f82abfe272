public import FoundationEssentials

/// A change and what came of it, for people.
public struct ChangeEvent: Sendable, Codable {
    /// Where the change stands.
    public enum State: String, Sendable, Codable {
        /// Something that it asks for is still to be done.
        case pending
        /// All that it asks for has been done.
        case done
        /// Something failed in the batch that the change was in, and is tried again.
        case failed
    }

    /// What a rule asks for because of it.
    public struct Effect: Sendable, Codable {
        /// The rule's name.
        public var rule: String
        /// Keys to delete.
        public var keys: [String] = []
        /// Patterns whose keys are to be deleted.
        public var patterns: [String] = []
        /// Entries to load anew.
        public var rewarms: [String] = []
        /// Tags whose keys are to be deleted, as patterns where any row may have changed; the same of what follows.
        public var tags: [String] = []
        /// Entries that are to live a little longer.
        public var expirations: [String] = []
        /// Counters to increment.
        public var counters: [String] = []
        /// The channel whose listeners are told; nil: none is.
        public var channel: String?
        /// Queries whose rows say what to do.
        public var lookups = 0
        /// How much of all that is left out here.
        public var more = 0
    }

    /// Its number, in the order in which changes were read.
    public var id: Int
    /// When it was written.
    public var at: Date
    /// The target that it was served to.
    public var target: String
    /// Its table.
    public var table: String
    /// `insert`, `update`, `delete`, or `anyRow`.
    public var kind: String
    /// The rules that fired.
    public var rules: [Effect]
    /// Where it stands.
    public var state: State
    /// Why something failed.
    public var failures: [String]
    /// From the commit until all was done; nil: not yet.
    public var lagMilliseconds: Double?

    /// As JSON; what is nil is null there, and not left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(at, forKey: .at)
        try container.encode(target, forKey: .target)
        try container.encode(table, forKey: .table)
        try container.encode(kind, forKey: .kind)
        try container.encode(rules, forKey: .rules)
        try container.encode(state, forKey: .state)
        try container.encode(failures, forKey: .failures)
        try container.encode(lagMilliseconds, forKey: .lagMilliseconds)
    }
}
