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
        var fields: [Substring: Substring] = [:]
        for reply in try await pipeline(sections, deadline: deadline) {
            if case .error(let refusal) = reply {
                throw RedisError(.refused, refusal.text, doing: "INFO on \(url)")
            }
            for line in (reply.text ?? "").split(whereSeparator: \.isNewline) {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2 { fields[parts[0]] = parts[1] }
            }
        }
        guard let runID = fields["run_id"],
            let role = fields["role"].flatMap({ RedisIdentity.Role(rawValue: String($0)) })
        else { throw RedisError(.refused, "INFO tells neither run_id nor role", doing: "INFO on \(url)") }
        return RedisIdentity(
            runID: String(runID), replicationID: String(fields["master_replid"] ?? ""), role: role,
            server: fields["valkey_version"].map { "Valkey \($0)" } ?? "Redis \(fields["redis_version"] ?? "")")
    }
}
