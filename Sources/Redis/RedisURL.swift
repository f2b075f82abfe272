import FoundationEssentials

/// Where a Redis deployment is and who we are to it:
/// - `redis://user:password@host:port/database` or `unix:///path/to/socket?db=2`: one server;
/// - `redis+sentinel://user:password@host:port,host:port/master-name/database`: what those Sentinels call by that name;
/// - `redis+cluster://user:password@host:port,host:port`: the Cluster that those servers belong to.
///
/// User and password are percent-decoded.
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
    /// The ACL user; nil is the server's default user.
    public var user: String?
    /// The password; nil sends no AUTH.
    public var password: String?
    /// The number of the database.
    public var database: Int

    /// Parses a URL. Throws `RedisError.Code.invalidURL` with one line that says what is wrong with it.
    public init(_ text: String) throws(RedisError) {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        try Self.check(scheme: scheme, of: text)
        let (first, hosts) = Self.split(text, behind: scheme)
        guard let parts = URLComponents(string: first), parts.fragment == nil else {
            throw Self.invalid(
                "can't be parsed: characters such as / # ? @ in a password are written %2F %23 %3F %40")
        }
        var path = parts.path.drop { $0 == "/" }
        switch scheme {
        case "unix":
            guard (parts.host ?? "").isEmpty, parts.path.count > 1 else {
                throw Self.invalid("takes an absolute path, as in unix:///run/redis/redis.sock")
            }
            deployment = .standalone(.unix(path: parts.path))
            path = ""
        case "redis+sentinel":
            let name = path.prefix { $0 != "/" }
            guard !name.isEmpty else { throw Self.invalid("names no master: redis+sentinel://host:port/master-name") }
            path = path.dropFirst(name.count + 1)
            deployment = .sentinel(try Self.addresses(hosts, defaultPort: 26379), master: String(name))
        case "redis+cluster":
            deployment = .cluster(try Self.addresses(hosts, defaultPort: 6379))
        default:
            guard hosts.count == 1 else { throw Self.invalid("names several hosts, which redis+cluster:// does") }
            deployment = .standalone(try Self.addresses(hosts, defaultPort: 6379)[0])
        }
        database = try Self.database(path, of: parts, scheme: scheme)
        if case .cluster = deployment, database != 0 { throw Self.invalid("names a database: a Cluster has only 0") }
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.flatMap { $0.isEmpty ? nil : $0 }
        if user != nil, password == nil {
            throw Self.invalid(
                "has a user but no password; a password alone is written redis://:password@host")
        }
    }

    /// One of the deployment's servers, with everything else as it is here.
    public func at(_ address: Address) -> RedisURL {
        var url = self
        url.deployment = .standalone(address)
        return url
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

    private static func check(scheme: String, of text: String) throws(RedisError) {
        guard text.dropFirst(scheme.count).hasPrefix("://") else {
            throw invalid("is written redis://host:port/database or unix:///path")
        }
        switch scheme {
        case "redis", "unix", "redis+sentinel", "redis+cluster": return
        case "rediss": throw invalid("has \(scheme)://, which is not yet supported")
        default: throw invalid("has the unknown scheme \(scheme)://; known are redis:// and unix://")
        }
    }

    private static func database(
        _ path: Substring, of parts: URLComponents, scheme: String
    ) throws(RedisError) -> Int {
        var text = path
        for item in parts.queryItems ?? [] {
            guard scheme == "unix", item.name == "db" else {
                throw invalid("has the unknown parameter \(item.name)")
            }
            text = item.value.map { $0[...] } ?? ""
        }
        guard !text.isEmpty else { return 0 }
        guard let number = Int(text), number >= 0 else {
            throw invalid("has no number for a database: \(text)")
        }
        return number
    }

    private static func invalid(_ message: String) -> RedisError {
        RedisError(.invalidURL, "the Redis URL \(message)")
    }
}

extension RedisURL: CustomStringConvertible {
    /// The URL with `***` for the password.
    public var description: String {
        let login = password == nil ? "" : "\(user ?? ""):***@"
        switch deployment {
        case .standalone(.unix(let path)):
            return "unix://\(login)\(path)" + (database == 0 ? "" : "?db=\(database)")
        case .standalone(let address): return "redis://\(login)\(address)/\(database)"
        case .sentinel(let addresses, let master):
            return "redis+sentinel://\(login)\(addresses.list)/\(master)/\(database)"
        case .cluster(let addresses): return "redis+cluster://\(login)\(addresses.list)"
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
    fileprivate var list: String { map(\.description).joined(separator: ",") }
}

extension String {
    /// The IPv6 address inside the brackets that a URL puts around it.
    fileprivate var trimmingBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
