import Delivery
import FoundationEssentials
import Metrics
import Redis
import Synchronization

/// What the target says of itself, for the session that serves it.
final class TargetMonitor: Sendable {
    private struct News {
        var identity: RedisIdentity?
        var pausedReason: String?
    }

    private let news = Mutex(News())
    private let pauses: Counter

    init(target: String) {
        pauses = Counter(label: "unstale_pauses_total", dimensions: [("target", target)])
    }

    /// The Redis that was reached last, as JSON.
    var server: String? {
        news.withLock { $0.identity }.flatMap { identity in
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return (try? encoder.encode(identity)).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// What runs there, for people; nil: it was not reached yet.
    var serverName: String? { news.withLock { $0.identity }?.server }

    /// Why the target is waited for; nil: it is not.
    var pausedReason: String? { news.withLock { $0.pausedReason } }

    func reached(_ identity: RedisIdentity) { news.withLock { $0.identity = identity } }

    func changed(to state: TargetState) {
        let wasPaused = news.withLock { $0.pausedReason != nil }
        if case .paused = state, !wasPaused { pauses.increment() }
        news.withLock { news in
            news.pausedReason =
                switch state {
                case .connecting: "not reached yet"
                case .connected: nil
                case .paused(_, let reason): reason
                }
        }
    }
}
