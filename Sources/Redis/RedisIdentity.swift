/// Which server, with which history, answers at an address. When it differs from what was seen before, that
/// server may lack what an earlier one had acknowledged: it was restarted, failed over or replaced.
public struct RedisIdentity: Hashable, Sendable, Codable {
    /// What a server is in its replication.
    public enum Role: String, Sendable, Codable {
        case master
        case replica = "slave"
    }

    /// `run_id`: a new one at every start of the server.
    public var runID: String
    /// `master_replid`: a new one at every failover.
    public var replicationID: String
    /// `role`.
    public var role: Role
    /// What runs there, for people: `Redis 7.0.15`.
    public var server: String

    /// An identity.
    public init(runID: String, replicationID: String, role: Role, server: String = "") {
        self.runID = runID
        self.replicationID = replicationID
        self.role = role
        self.server = server
    }
}

extension RedisIdentity {
    /// Reads what INFO says, in lines of `name:value`; nil: it tells neither run_id nor role.
    ///
    /// It is asked for every second, so lines are told apart by bytes: by characters it took 0.1 ms.
    init?(info: String) {
        var values: [Field: String] = [:]
        for line in Array(info.utf8).split(whereSeparator: { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) {
            guard let (field, name) = Field.names.first(where: { line.starts(with: $0.name) }) else { continue }
            values[field] = String(decoding: line.dropFirst(name.count), as: UTF8.self)
        }
        guard let runID = values[.runID], let role = values[.role].flatMap(Role.init(rawValue:)) else { return nil }
        self.init(
            runID: runID, replicationID: values[.replicationID] ?? "", role: role,
            server: values[.valkey].map { "Valkey \($0)" } ?? "Redis \(values[.redis] ?? "")")
    }

    /// What INFO is read for.
    private enum Field: String, CaseIterable {
        case runID = "run_id"
        case replicationID = "master_replid"
        case role
        case redis = "redis_version"
        case valkey = "valkey_version"

        /// What their lines begin with.
        static let names = allCases.map { (field: $0, name: Array("\($0.rawValue):".utf8)) }
    }

    /// What tells one history from another: that the server has a newer version does not.
    private enum CodingKeys: String, CodingKey {
        case runID, replicationID, role
    }

    /// Reads what `encode(to:)` wrote.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            runID: try values.decode(String.self, forKey: .runID),
            replicationID: try values.decode(String.self, forKey: .replicationID),
            role: try values.decode(Role.self, forKey: .role))
    }
}

extension RedisConnection {
    /// Asks the server which one it is, by INFO. Throws `refused` when it doesn't say, and what
    /// ``pipeline(_:deadline:)`` throws.
    public func identity(deadline: Duration) async throws(RedisError) -> RedisIdentity {
        let sections = [RedisCommand("INFO", "server"), RedisCommand("INFO", "replication")]
        var info = ""
        for reply in try await pipeline(sections, deadline: deadline) {
            if case .error(let refusal) = reply {
                throw RedisError(.refused, refusal.text, doing: "INFO on \(url)")
            }
            info += reply.text ?? ""
        }
        guard let identity = RedisIdentity(info: info) else {
            throw RedisError(.refused, "INFO tells neither run_id nor role", doing: "INFO on \(url)")
        }
        return identity
    }
}
