/// An error that Redis answered to a command, for example `WRONGTYPE Operation against a key holding …`.
public struct RedisErrorReply: Hashable, Sendable, CustomStringConvertible {
    /// The whole line as the server sent it.
    public var text: String

    /// The error with this line.
    public init(_ text: String) { self.text = text }

    /// The first word, by which the server says what kind of error it is: `ERR`, `WRONGTYPE`, `LOADING` and so on.
    public var code: Substring { text.prefix { $0 != " " } }

    /// The whole line.
    public var description: String { text }
}
