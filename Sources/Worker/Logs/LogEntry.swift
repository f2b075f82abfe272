import Logging

/// One message and what goes with it, as text.
struct LogEntry: Hashable, Sendable {
    var level: Logger.Level
    var message: String
    var metadata: [String: String]
}
