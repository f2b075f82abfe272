import Logging
import Redis
import Synchronization

/// Which servers a deployment has and which keys each of them. For all but a Cluster that is settled from the start.
///
/// A Cluster's map is read once in a while, and soon after anybody has found it to be wrong: once for a storm of
/// redirections, which each set right the slot that they are about.
final class Topology: Sendable {
    private struct State {
        var map: SlotMap?
        /// Grows with each change of the map's servers, of ``extra`` and of ``health``.
        var version = 0
        /// Servers that a redirection named and the map doesn't, and when: a slot may be on its way to them.
        var extra: [RedisURL.Address: ContinuousClock.Instant] = [:]
        var isDoubted = false
        var health = Health()
    }

    /// How long after one look at the Cluster comes the next, where somebody doubts the map.
    private static let shortestInterval = Duration.milliseconds(100)
    /// The same where nobody does.
    private static let interval = Duration.seconds(5)
    /// How long a server is remembered that a redirection named.
    private static let memory = Duration.seconds(60)

    let url: RedisURL
    private let options: TargetOptions
    private let logger: Logger
    private let state: Mutex<State>
    private let changed = Signal()
    private let doubted = Signal()

    /// What is behind a URL; ``run()`` finds it out.
    init(_ url: RedisURL, options: TargetOptions, logger: Logger) {
        self.url = url
        self.options = options
        self.logger = logger
        switch url.deployment {
        case .standalone(let address): state = Mutex(State(map: SlotMap(only: address)))
        case .sentinel(let addresses, _): state = Mutex(State(map: SlotMap(only: addresses[0])))
        case .cluster: state = Mutex(State())
        }
    }

    /// Whether keys are spread over servers by their slots.
    var isCluster: Bool { if case .cluster = url.deployment { true } else { false } }

    /// Where it stands that the Cluster is asked for its map; connected: it was answered.
    var health: TargetState { isCluster ? state.withLock { $0.health.state } : .connected }

    /// The map; nil: it is not known yet.
    var map: SlotMap? { state.withLock { $0.map } }

    /// The servers to have connections with, and what ``waitForChange(from:)`` takes.
    var servers: (addresses: Set<RedisURL.Address>, version: Int) {
        state.withLock { (Set($0.map?.masters ?? []).union($0.extra.keys), $0.version) }
    }

    /// The URL of one of the servers.
    func url(of address: RedisURL.Address) -> RedisURL { isCluster ? url.at(address) : url }

    /// Returns when there is a map.
    func knownMap() async throws(CancellationError) -> SlotMap {
        while true {
            if let map { return map }
            try await changed.wait { map == nil }
        }
    }

    /// Returns when the servers are others than those of this version, or ``health`` is another.
    func waitForChange(from version: Int) async throws(CancellationError) {
        try await changed.wait { state.withLock { $0.version } == version }
    }

    /// Runs `serve` for each of the servers, for as long as that has keys, until the task is cancelled.
    ///
    /// - Parameter onChange: told when there may be others, or ``health`` may be another.
    func forEachServer(
        onChange: () -> Void = {}, _ serve: @escaping @Sendable (RedisURL.Address) async -> Void
    ) async {
        await withTaskGroup(of: RedisURL.Address?.self) { group in
            var served: Set<RedisURL.Address> = []
            var isWaiting = false
            while !Task.isCancelled {
                let (addresses, version) = servers
                for address in addresses.subtracting(served) {
                    group.addTask {
                        await self.whileServing(address) { await serve(address) }
                        return address
                    }
                }
                served.formUnion(addresses)
                onChange()
                if !isWaiting {
                    group.addTask {
                        try? await self.waitForChange(from: version)
                        return nil
                    }
                }
                isWaiting = true
                // One that has ended may have keys again by now.
                if let ended = await group.next() ?? nil { served.remove(ended) } else { isWaiting = false }
            }
            group.cancelAll()
        }
    }

    /// Cancels the body when the server has no keys any more.
    private func whileServing(_ address: RedisURL.Address, _ body: @escaping @Sendable () async -> Void) async {
        await withTaskGroup { group in
            group.addTask { await body() }
            group.addTask {
                while true {
                    let (addresses, version) = self.servers
                    guard addresses.contains(address), (try? await self.waitForChange(from: version)) != nil
                    else { return }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// A server has told that a slot is elsewhere.
    func follow(_ redirection: Redirection) {
        state.withLock { state in
            let known = state.map?.masters.count
            if case .moved(let slot, let address) = redirection {
                state.map?.move(slot, to: address)
                state.isDoubted = true
            }
            var isNew = state.map?.masters.count != known
            if state.map?.masters.contains(redirection.address) == false {
                isNew = state.extra.updateValue(.now, forKey: redirection.address) == nil
            }
            if isNew { state.version += 1 }
        }
        changed.fire()
        doubted.fire()
    }

    /// Something didn't work that does where the map is right.
    func doubt() {
        state.withLock { $0.isDoubted = true }
        doubted.fire()
    }

    /// Keeps the map until the task is cancelled.
    func run() async {
        guard isCluster else { return }
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            var rest = Self.shortestInterval
            do throws(RedisError) {
                learn(try await view())
            } catch {
                if error.code == .cancelled { return }
                rest = max(rest, options.backoff.delay(afterFailures: failed(error), using: &random))
            }
            // A storm of redirections leads to one look and not to many.
            guard (try? await Task.sleep(for: rest)) != nil else { return }
            await waitForDoubt()
        }
    }

    /// Returns when somebody doubts the map, or it's time to look all the same.
    private func waitForDoubt() async {
        await withTaskGroup { group in
            // The period of a look at what nobody doubts.
            group.addTask { try? await Task.sleep(for: Self.interval) }
            group.addTask { try? await self.doubted.wait { self.state.withLock { !$0.isDoubted } } }
            await group.next()
            group.cancelAll()
        }
    }

    /// Asks those that we serve, and those of the URL.
    private func view() async throws(RedisError) -> ClusterView {
        let masters = state.withLock { state in
            state.isDoubted = false
            return state.map?.masters ?? []
        }
        let others = url.seeds.filter { !masters.contains($0) }
        return try await ClusterView.read(url, at: masters.shuffled() + others.shuffled(), options: options.connection)
    }

    private func learn(_ view: ClusterView) {
        let announcement = state.withLock { state in
            state.extra = state.extra.filter { .now - $0.value < Self.memory && !view.map.masters.contains($0.key) }
            state.map = view.map
            state.version += 1
            return state.health.succeeded(at: .now)
        }
        if case .recovered = announcement { logger.notice("The Cluster tells its slots again") }
        changed.fire()
    }

    /// Gives the number of failures in a row.
    private func failed(_ error: RedisError) -> Int {
        let (announcement, failures) = state.withLock { state in
            state.version += 1
            return (state.health.failed(error.description, at: .now), state.health.failures)
        }
        if case .paused = announcement {
            logger.warning("The Cluster doesn't tell its slots", metadata: ["reason": "\(error.summary)"])
        }
        changed.fire()
        return failures
    }
}
