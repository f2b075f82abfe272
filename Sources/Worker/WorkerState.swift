public import Delivery
import FoundationEssentials

/// What the worker tells `unstale status` through its target's row.
public struct WorkerState: Codable, Hashable, Sendable {
    /// A fault of the capture.
    public struct Problem: Codable, Hashable, Sendable {
        /// The table.
        public var table: String
        /// What is wrong and what to do, on one line.
        public var reason: String
        /// Whether changes of the table may be missing.
        public var losesChanges: Bool
        /// The command that mends it; nil: there is none.
        public var command: String?
        /// Whether only the worker has seen it, for the catalog shows nothing of it.
        public var isFailure = false

        /// What is wrong, for logs: what a capture failed of may quote a row's values.
        var summary: String { isFailure ? "the capture of \(table) fails: see 'unstale status'" : reason }
    }

    /// Why the target is waited for; nil: it is not.
    public var pausedReason: String?
    /// What is degraded.
    public var problems: [Problem] = []
    /// For each table a text that changes whenever one of its triggers is altered.
    public var triggerVersions: [String: String] = [:]
    /// Which rules the cursor is about.
    public var rules: String?
    /// How far the target had been served at earlier times; nil: that is not known.
    var history: ServedHistory?
    /// What became of entries that were to be re-warmed, since that worker was started; nil: none was.
    public var rewarms: RewarmStatistics?
    /// How the index of the target's keys stands, in words; nil: it has none.
    public var index: String?
    /// Whether an operator has the target left alone; nil: no.
    public var isHeld: Bool?
    /// The worker: host and process.
    public var worker: String?

    static func decode(_ json: String) -> WorkerState {
        (try? JSONDecoder().decode(WorkerState.self, from: Data(json.utf8))) ?? WorkerState()
    }

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
