import Delivery
import FoundationEssentials
import Metrics
import Redis
import Synchronization

/// What the target says of itself, for the session that serves it.
final class TargetMonitor: Sendable {
    private struct News {
        var identity: RedisIdentity?
        /// The same, as JSON.
        var server: String?
        /// Those that ``nextServer()`` has not told of: the first of them, and the last.
        var untold: [String?] = []
        var pausedReason: String?
    }

    private let news = Mutex(News())
    private let pauses: Counter

    init(target: String) {
        pauses = Counter(label: "unstale_pauses_total", dimensions: [("target", target)])
    }

    /// The Redis that was reached, as JSON; nil: none was yet. Whoever asks again and again hears of another that was
    /// reached in between, even if the first is back by now: what was deleted meanwhile was deleted in the other.
    func nextServer() -> String? {
        news.withLock { news in news.untold.isEmpty ? news.server : news.untold.removeFirst() }
    }

    /// What runs there, for people; nil: it was not reached yet.
    var serverName: String? { news.withLock { $0.identity }?.server }

    /// Why the target is waited for; nil: it is not.
    var pausedReason: String? { news.withLock { $0.pausedReason } }

    func reached(_ identity: RedisIdentity) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let server = (try? encoder.encode(identity)).map { String(decoding: $0, as: UTF8.self) }
        news.withLock { news in
            guard identity != news.identity else { return }
            (news.identity, news.server) = (identity, server)
            // One in between says as much as many.
            if news.untold.count > 1 { news.untold.removeLast() }
            news.untold.append(server)
        }
    }

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
