/// How a connection is made.
public struct RedisConnectionOptions: Sendable {
    /// The longest that connecting may take, and after it the login.
    public var connectTimeout: Duration
    /// Where it runs, and where tasks that talk to Redis had better run.
    public var executor: EventLoopExecutor
    /// What `CLIENT LIST` calls us: letters, digits and dashes.
    public var clientName: String
    /// Whether an array inside of an array that holds nothing but strings comes as ``RedisReply/strings(_:)``: a page of
    /// SCAN, keys that are told by `__redis__:invalidate`.
    public var packsStrings: Bool

    /// Options; the defaults suit a server in the same network.
    public init(
        connectTimeout: Duration = .seconds(3), executor: EventLoopExecutor = .init(), clientName: String = "unstale",
        packsStrings: Bool = false
    ) {
        self.connectTimeout = connectTimeout
        self.executor = executor
        self.clientName = clientName
        self.packsStrings = packsStrings
    }
}
