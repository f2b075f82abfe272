/// Why the admin port can't be opened.
public struct AdminError: Error, CustomStringConvertible {
    /// What kind of mistake it is.
    public enum Code: Sendable {
        /// Somebody else has the port.
        case taken
        /// The address or the token is not one that could be used.
        case badSettings
    }

    /// The kind.
    public let code: Code
    /// What is wrong, on one line.
    public let description: String
}
