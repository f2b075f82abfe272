/// How the admin port is opened.
public struct AdminSettings: Sendable {
    /// Where it listens.
    public var address: AdminAddress
    /// Who may give orders; nil: nobody.
    public var token: AdminToken?
    /// Names besides `localhost` and the address by which people reach it.
    public var hosts: [String]
    /// How long connections may take.
    var limits = ConnectionClock.Limits()
    /// Connections at a time; the next ones wait.
    var connectionLimit = 64
    /// Followers of changes at a time.
    var followerLimit = 16

    /// The silence after which a follower is told that the worker is still there.
    var heartbeat = Duration.seconds(15)

    /// Settings with these limits: a request within 10 s, an idle connection 60 s, 64 connections.
    public init(address: AdminAddress, token: AdminToken? = nil, hosts: [String] = []) {
        self.address = address
        self.token = token
        self.hosts = hosts
    }
}
