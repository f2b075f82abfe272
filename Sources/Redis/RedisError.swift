/// Why something asked of Redis did not come about. An error that the server answers to a single command is no
/// `RedisError` but a value, ``RedisReply/error(_:)``: the other replies of the pipeline still count.
public struct RedisError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: Sendable, Hashable {
        /// The URL can't be used; nothing was tried.
        case invalidURL
        /// No connection came about.
        case connect
        /// The server turned the connection away: wrong password, no such database, too many clients.
        case refused
        /// The connection was lost, or had been lost before. What was under way may have been executed.
        case disconnected
        /// The deadline passed, and the connection is closed. What was under way may have been executed.
        case timeout
        /// The peer doesn't speak Redis' protocol, and the connection is closed.
        case protocolViolation
        /// The task was cancelled. What was under way may have been executed; the connection goes on.
        case cancelled
    }

    /// What kind of failure it was.
    public var code: Code
    /// What went wrong, in one line without secrets.
    public var message: String
    /// What was being done, in one line without secrets; empty where that says nothing.
    public var doing: String
    /// The error below this one, if there was one.
    public var underlying: (any Error)?

    /// An error of this kind.
    public init(_ code: Code, _ message: String, doing: String = "", underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.doing = doing
        self.underlying = underlying
    }

    /// One line for people: what was being done, and what went wrong.
    public var description: String { doing.isEmpty ? message : "\(doing): \(message)" }

    /// The same for logs: without what a server quotes of a command's arguments.
    public var summary: String {
        code == .refused ? RedisErrorReply.withoutArguments(description) : description
    }

    static var cancelled: RedisError { RedisError(.cancelled, "cancelled") }

    func during(_ doing: @autoclosure () -> String) -> RedisError {
        var copy = self
        if copy.doing.isEmpty { copy.doing = doing() }
        return copy
    }
}
