/// How a connection is made.
public struct RedisConnectionOptions: Sendable {
    /// The longest that connecting may take, and after it the login.
    public var connectTimeout: Duration
    /// What `CLIENT LIST` calls us: letters, digits and dashes.
    public var clientName: String

    /// Options; the defaults suit a server in the same network.
    public init(connectTimeout: Duration = .seconds(3), clientName: String = "unstale") {
        self.connectTimeout = connectTimeout
        self.clientName = clientName
    }
}
