import Redis

/// Has deletes count as done only when so many replicas have them (redis.io, WAIT).
struct ReplicaWait: Sendable {
    private let count: Int
    private static let limit = Duration.seconds(1)

    /// So many replicas, at least one.
    init(_ count: Int) { self.count = count }

    /// What is sent behind the writes. It holds up the connection for a second at most.
    var command: RedisCommand {
        RedisCommand("WAIT", "\(count)", "\(Int64(Self.limit / .milliseconds(1)))")
    }

    /// What is wrong with the reply to ``command``; nil: all of them have what was written.
    func shortfall(_ reply: RedisReply?) -> String? {
        switch reply {
        case .integer(let number)? where number >= count: nil
        case .integer(let number)?: "only \(number) of \(count) replicas have acknowledged within \(Self.limit)"
        case .error(let error)?: error.text
        default: "WAIT was answered with no number"
        }
    }
}

extension TargetOptions {
    /// Nil: replicas are not waited for.
    var replicaWait: ReplicaWait? { waitReplicas > 0 ? ReplicaWait(waitReplicas) : nil }
}
