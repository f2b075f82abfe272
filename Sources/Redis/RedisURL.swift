import FoundationEssentials

/// Where a Redis server is and who we are to it: `redis://user:password@host:port/database` or
/// `unix:///path/to/socket?db=2`. User and password are percent-decoded.
public struct RedisURL: Hashable, Sendable {
    /// A server's address.
    public enum Address: Hashable, Sendable {
        /// A host name or address, and a port.
        case tcp(host: String, port: Int)
        /// The path of a Unix domain socket.
        case unix(path: String)
    }

    /// Where the server listens.
    public var address: Address
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
        guard let parts = URLComponents(string: text), parts.fragment == nil else {
            throw Self.invalid(
                "can't be parsed: characters such as / # ? @ in a password are written %2F %23 %3F %40")
        }
        if scheme == "unix" {
            guard (parts.host ?? "").isEmpty, parts.path.count > 1 else {
                throw Self.invalid("takes an absolute path, as in unix:///run/redis/redis.sock")
            }
            address = .unix(path: parts.path)
        } else {
            guard let host = parts.host, !host.isEmpty else { throw Self.invalid("names no host") }
            let port = parts.port ?? 6379
            guard (1...65535).contains(port) else { throw Self.invalid("has no port: \(port)") }
            address = .tcp(host: host.trimmingBrackets, port: port)
        }
        database = try Self.database(of: parts, scheme: scheme)
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.flatMap { $0.isEmpty ? nil : $0 }
        if user != nil, password == nil {
            throw Self.invalid(
                "has a user but no password; a password alone is written redis://:password@host")
        }
    }

    private static func check(scheme: String, of text: String) throws(RedisError) {
        guard text.dropFirst(scheme.count).hasPrefix("://") else {
            throw invalid("is written redis://host:port/database or unix:///path")
        }
        switch scheme {
        case "redis", "unix": return
        case "rediss", "redis+sentinel", "redis+cluster":
            throw invalid("has \(scheme)://, which is not yet supported")
        default: throw invalid("has the unknown scheme \(scheme)://; known are redis:// and unix://")
        }
    }

    private static func database(of parts: URLComponents, scheme: String) throws(RedisError) -> Int {
        var text = scheme == "unix" ? "" : parts.path.drop { $0 == "/" }
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
        switch address {
        case .tcp(let host, let port):
            return "redis://\(login)\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
        case .unix(let path):
            return "unix://\(login)\(path)" + (database == 0 ? "" : "?db=\(database)")
        }
    }
}

extension String {
    /// The IPv6 address inside the brackets that a URL puts around it.
    fileprivate var trimmingBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
