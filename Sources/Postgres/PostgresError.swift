/// Why something that was asked of Postgres was not done.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is, and so what can be done about it.
    public enum Code: Sendable, Equatable {
        /// No connection came about.
        case connect
        /// The connection is gone; whether the statement took effect is unknown.
        case disconnected
        /// The deadline passed; the connection is closed, for its answer can no longer be matched.
        case timeout
        /// The task was cancelled and the server stopped the statement.
        case cancelled
        /// The server refused the statement, with this SQLSTATE.
        case server(sqlState: String)
    }

    /// What kind of failure it is.
    public var code: Code
    /// The server's or libpq's words, on one line.
    public var message: String
    /// What was being done.
    public var doing: String
    /// What of the message can't be of a row; nil: nothing.
    let plainMessage: String?

    /// A failure of `doing`, told in words of our own or libpq's.
    public init(code: Code, message: String, doing: String) {
        // What the server said before the connection was lost stands in libpq's words too.
        let isPlain = !message.contains("ERROR:")
        self.init(code: code, message: message, plainMessage: isPlain ? message : nil, doing: doing)
    }

    /// A failure of `doing`. Of `message` only `plainMessage` is for logs.
    init(code: Code, message: String, plainMessage: String?, doing: String) {
        self.code = code
        self.message = Self.oneLine(message)
        self.plainMessage = plainMessage.map(Self.oneLine)
        self.doing = doing
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }.joined(separator: "; ")
    }

    /// `doing: message`, with the SQLSTATE where there is one.
    public var description: String {
        guard case .server(let sqlState) = code else { return "\(doing): \(message)" }
        return "\(doing): \(message) (SQLSTATE \(sqlState))"
    }

    /// The same for logs, which are no place for what stands in rows: where the server's words may quote a value,
    /// the condition's name in their place.
    public var summary: String {
        guard case .server(let sqlState) = code else { return "\(doing): \(plainMessage ?? "the connection was lost")" }
        let what = plainMessage ?? SQLState.name(of: sqlState) ?? "an error"
        return "\(doing): \(what) (SQLSTATE \(sqlState))"
    }

    /// The SQLSTATE, where the server gave one.
    public var sqlState: String? {
        if case .server(let sqlState) = code { sqlState } else { nil }
    }

    /// Whether the connection or the server is at fault, not the statement: the same statement may succeed on a
    /// new connection. Classes 08, 53, 57 and 58 of the manual's appendix A, and a server that became read-only.
    public var isServerTrouble: Bool {
        guard let sqlState else { return code != .cancelled }
        return ["08", "53", "57", "58"].contains(sqlState.prefix(2)) && sqlState != "57014"
            || sqlState == "25006"
    }
}

extension PostgresError {
    var asDisconnected: PostgresError { with(.disconnected) }
    var asCancelled: PostgresError { with(.cancelled) }

    private func with(_ code: Code) -> PostgresError {
        PostgresError(code: code, message: message, plainMessage: plainMessage, doing: doing)
    }
}
