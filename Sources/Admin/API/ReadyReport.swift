import Redis
import Worker

/// `/readyz`: whether the worker can do its work, part by part. Anybody may ask that, so what is quoted of a server's
/// words has no keys and no values of rows in it.
struct ReadyReport: Encodable {
    struct Part: Encodable {
        var name: String
        var isReady: Bool
        var reason: String?

        private enum Keys: CodingKey { case name, isReady, reason }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(name, forKey: .name)
            try container.encode(isReady, forKey: .isReady)
            try container.encode(reason, forKey: .reason)
        }
    }

    private enum CodingKeys: CodingKey { case isReady, parts }

    let isReady: Bool
    let parts: [Part]

    /// One that stands by is as ready as one that leads. A target that an operator has paused is, too.
    init(_ status: WorkerStatus) {
        let hasPostgres = status.state == .leading || status.state == .standingBy
        let reason = status.reason ?? (status.state == .starting ? "not reached yet" : "it is waited for")
        // These name tables, columns and triggers; what a capture failed of loses no changes.
        let lost = status.degraded.first(where: \.losesChanges)
        let lead =
            switch status.state {
            case .leading: "leading"
            case .standingBy: "standing by"
            case .starting, .waiting: "neither leading nor standing by"
            }
        let targets = status.targets.map { target in
            Part(
                name: "target \(target.name)", isReady: target.state == .connected && !target.needsResync,
                reason: target.isHeld
                    ? "paused by an operator"
                    : target.reason.map(Self.plain) ?? (target.needsResync ? "it needs a resync" : nil))
        }
        parts =
            [
                Part(name: "postgres", isReady: hasPostgres, reason: hasPostgres ? nil : reason),
                Part(name: "capture", isReady: lost == nil, reason: lost?.reason),
            ] + targets + [Part(name: "lead", isReady: hasPostgres, reason: lead)]
        isReady = parts.allSatisfy(\.isReady)
    }

    /// As logs have it: Redis quotes a command's arguments in some of its errors.
    private static func plain(_ reason: String) -> String { RedisErrorReply(reason).summary }
}
