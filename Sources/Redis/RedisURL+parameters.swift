import FoundationEssentials

extension RedisURL {
    private var isSentinels: Bool { if case .sentinel = deployment { true } else { false } }

    private var isSocket: Bool { if case .standalone(.unix) = deployment { true } else { false } }

    /// Takes the parameters, and checks whether they make sense together.
    mutating func take(_ items: [URLQueryItem]) throws(RedisError) {
        var names: Set<String> = []
        for item in items {
            guard names.insert(item.name).inserted else { throw Self.invalid("has the parameter \(item.name) twice") }
            try take(item.name, item.value ?? "")
        }
        try Self.check(credentials, named: "")
        try Self.check(sentinelCredentials, named: "sentinel_")
        guard let tls else { return }
        guard (tls.certificateFile == nil) == (tls.keyFile == nil) else {
            throw Self.invalid("has one of cert and key, which belong together")
        }
        guard tls.verifies || tls.authorityFile == nil else {
            throw Self.invalid("has a ca that tls=insecure would not look at")
        }
    }

    private mutating func take(_ name: String, _ value: String) throws(RedisError) {
        switch name {
        case "db" where isSocket: database = try Self.database(value)
        case "password_file": credentials.passwordFile = value
        case "client_name":
            guard value.utf8.allSatisfy({ (33...126).contains($0) }) else {
                throw Self.invalid("has a client_name with other characters than printable ASCII")
            }
            clientName = value
        case "ca" where tls != nil: tls?.authorityFile = value
        case "cert" where tls != nil: tls?.certificateFile = value
        case "key" where tls != nil: tls?.keyFile = value
        case "tls" where tls != nil:
            guard value == "insecure" else { throw Self.invalid("has tls=\(value); known is tls=insecure") }
            tls?.verifies = false
        case "ca", "cert", "key", "tls":
            throw Self.invalid("has the parameter \(name) but no TLS, which rediss:// has")
        case "sentinel_user" where isSentinels: sentinelCredentials.user = value
        case "sentinel_password" where isSentinels: sentinelCredentials.password = value
        case "sentinel_password_file" where isSentinels: sentinelCredentials.passwordFile = value
        default: throw Self.invalid("has the unknown parameter \(name)")
        }
        guard !value.isEmpty else { throw Self.invalid("has no value for the parameter \(name)") }
    }

    /// `prefix` is what the names of its parameters begin with.
    private static func check(_ credentials: RedisCredentials, named prefix: String) throws(RedisError) {
        guard credentials.password == nil || credentials.passwordFile == nil else {
            throw invalid("has both a password and \(prefix)password_file")
        }
        guard credentials.user != nil, credentials.password == nil, credentials.passwordFile == nil else { return }
        throw prefix.isEmpty
            ? invalid("has a user but no password; a password alone is written redis://:password@host")
            : invalid("has \(prefix)user but no \(prefix)password")
    }
}
