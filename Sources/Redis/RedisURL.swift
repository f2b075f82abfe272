import FoundationEssentials

/// Where a Redis deployment is and who we are to it:
/// - `redis://user:password@host:port/database` or `unix:///path/to/socket?db=2`: one server;
/// - `redis+sentinel://user:password@host:port,host:port/master-name/database`: what those Sentinels call by that name;
/// - `redis+cluster://user:password@host:port,host:port`: the Cluster that those servers belong to;
/// - each but `unix` with `rediss` in place of `redis`: the same by TLS.
///
/// User and password are percent-decoded. Parameters, all of them for people who need more than that:
/// - `password_file`: where the password is read from; `client_name`: what `CLIENT LIST` calls us;
/// - `ca`, `cert`, `key`: the files of TLS; `tls=insecure`: any certificate is taken;
/// - `sentinel_user`, `sentinel_password`, `sentinel_password_file`: who we are to the Sentinels.
public struct RedisURL: Hashable, Sendable {
    /// A server's address.
    public enum Address: Hashable, Sendable {
        /// A host name or address, and a port.
        case tcp(host: String, port: Int)
        /// The path of a Unix domain socket.
        case unix(path: String)
    }

    /// How servers make up a deployment.
    public enum Deployment: Hashable, Sendable {
        /// One server, with or without replicas that nobody asks.
        case standalone(Address)
        /// The master that these Sentinels name.
        case sentinel([Address], master: String)
        /// A Cluster, of which these are some servers.
        case cluster([Address])
    }

    /// Where the servers are.
    public var deployment: Deployment
    /// Who we are to the servers.
    public var credentials: RedisCredentials
    /// Who we are to the Sentinels, where there are any.
    public var sentinelCredentials = RedisCredentials()
    /// How TLS is spoken to servers and Sentinels; nil: it is not.
    public var tls: RedisTLS?
    /// The number of the database.
    public var database: Int
    /// What `CLIENT LIST` calls us; nil: what the options say.
    public var clientName: String?

    /// Parses a URL. Throws `RedisError.Code.invalidURL` with one line that says what is wrong with it.
    public init(_ text: String) throws(RedisError) {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        try Self.check(scheme: scheme, of: text)
        let (first, hosts) = Self.split(text, behind: scheme)
        guard let parts = URLComponents(string: first), parts.fragment == nil else {
            throw Self.invalid(
                "can't be parsed: characters such as / # ? @ in a password are written %2F %23 %3F %40")
        }
        let (deployment, path) = try Self.deployment(scheme: scheme, parts, hosts)
        self.deployment = deployment
        database = try Self.database(path)
        credentials = RedisCredentials(
            user: parts.user.flatMap { $0.isEmpty ? nil : $0 },
            password: parts.password.flatMap { $0.isEmpty ? nil : $0 })
        if scheme.hasPrefix("rediss") { tls = RedisTLS() }
        try take(parts.queryItems ?? [])
        if case .cluster = deployment, database != 0 { throw Self.invalid("names a database: a Cluster has only 0") }
    }

    /// One of the deployment's servers, with everything else as it is here.
    public func at(_ address: Address) -> RedisURL {
        var url = self
        url.deployment = .standalone(address)
        return url
    }

    /// One of its Sentinels.
    func sentinel(at address: Address) -> RedisURL {
        var url = at(address)
        url.credentials = sentinelCredentials
        url.database = 0
        return url
    }

    /// The deployment, and what of the path is left to name a database.
    private static func deployment(
        scheme: String, _ parts: URLComponents, _ hosts: [Substring]
    ) throws(RedisError) -> (Deployment, Substring) {
        let path = parts.path.drop { $0 == "/" }
        switch scheme.split(separator: "+").last {
        case "unix":
            guard (parts.host ?? "").isEmpty, parts.path.count > 1 else {
                throw invalid("takes an absolute path, as in unix:///run/redis/redis.sock")
            }
            return (.standalone(.unix(path: parts.path)), "")
        case "sentinel":
            let name = path.prefix { $0 != "/" }
            guard !name.isEmpty else { throw invalid("names no master: redis+sentinel://host:port/master-name") }
            let sentinels = try addresses(hosts, defaultPort: 26379)
            return (.sentinel(sentinels, master: String(name)), path.dropFirst(name.count + 1))
        case "cluster": return (.cluster(try addresses(hosts, defaultPort: 6379)), path)
        default:
            guard hosts.count == 1 else { throw invalid("names several hosts, which redis+cluster:// does") }
            return (.standalone(try addresses(hosts, defaultPort: 6379)[0]), path)
        }
    }

    /// The URL with nothing but the first of its hosts, and all hosts.
    private static func split(_ text: String, behind scheme: String) -> (first: String, hosts: [Substring]) {
        let start = text.index(text.startIndex, offsetBy: scheme.count + 3)
        let end = text[start...].firstIndex { "/?#".contains($0) } ?? text.endIndex
        let hostStart = text[start..<end].lastIndex(of: "@").map { text.index(after: $0) } ?? start
        let hosts = text[hostStart..<end].split(separator: ",", omittingEmptySubsequences: false)
        return ("\(text[..<hostStart])\(hosts[0])\(text[end...])", hosts)
    }

    private static func addresses(_ hosts: [Substring], defaultPort: Int) throws(RedisError) -> [Address] {
        var addresses: [Address] = []
        for host in hosts {
            guard let parts = URLComponents(string: "redis://\(host)"), let name = parts.host, !name.isEmpty else {
                throw invalid("names no host")
            }
            let port = parts.port ?? defaultPort
            guard (1...65535).contains(port) else { throw invalid("has no port: \(port)") }
            addresses.append(.tcp(host: name.trimmingBrackets, port: port))
        }
        return addresses
    }

    private static let schemes: Set = [
        "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
    ]

    private static func check(scheme: String, of text: String) throws(RedisError) {
        guard text.dropFirst(scheme.count).hasPrefix("://") else {
            throw invalid("is written redis://host:port/database or unix:///path")
        }
        guard schemes.contains(scheme) else {
            throw invalid(
                "has the unknown scheme \(scheme)://; known are redis://, redis+sentinel://, redis+cluster://, each "
                    + "with rediss for TLS, and unix://")
        }
    }

    static func database(_ text: some StringProtocol) throws(RedisError) -> Int {
        guard !text.isEmpty else { return 0 }
        guard let number = Int(text), number >= 0 else {
            throw invalid("has no number for a database: \(text)")
        }
        return number
    }

    static func invalid(_ message: String) -> RedisError {
        RedisError(.invalidURL, "the Redis URL \(message)")
    }
}

extension RedisURL: CustomStringConvertible {
    /// The URL with `***` for the password, and without the files.
    public var description: String {
        let scheme = tls == nil ? "redis" : "rediss"
        let insecure = tls?.verifies == false ? "?tls=insecure" : ""
        switch deployment {
        case .standalone(.unix(let path)):
            return "unix://\(credentials)\(path)" + (database == 0 ? "" : "?db=\(database)")
        case .standalone(let address): return "\(scheme)://\(credentials)\(address)/\(database)\(insecure)"
        case .sentinel(let addresses, let master):
            return "\(scheme)+sentinel://\(credentials)\(addresses.list)/\(master)/\(database)\(insecure)"
        case .cluster(let addresses): return "\(scheme)+cluster://\(credentials)\(addresses.list)\(insecure)"
        }
    }
}

extension RedisURL.Address: CustomStringConvertible {
    /// `host:port`, or the path.
    public var description: String {
        switch self {
        case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): path
        }
    }
}

extension [RedisURL.Address] {
    var list: String { map(\.description).joined(separator: ",") }
}

extension String {
    /// The IPv6 address inside the brackets that a URL puts around it.
    fileprivate var trimmingBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
