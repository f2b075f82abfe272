import Logging
import Metrics
import Redis
import Rules
import Synchronization

/// The index of a target, one for each of its servers that has keys, and the deletes by pattern that it serves.
final class KeyIndexes: Sendable {
    private struct State {
        var indexes: [RedisURL.Address: KeyIndex] = [:]
        var lookups = 0, fallbacks = 0
    }

    private let options: KeyIndexOptions
    private let prefixes: IndexPrefixes
    private let target: Target
    /// The sweeper's connections.
    private let servers: Servers
    private let sweepOptions: SweepOptions
    private let logger: Logger
    private let state = Mutex(State())
    private let lookups, fallbacks: Counter
    private let keys, bytes: Gauge

    /// - Parameter servers: where to ask which server has which slots.
    init(
        _ options: KeyIndexOptions, of target: Target, servers: Servers, sweepOptions: SweepOptions, logger: Logger
    ) {
        self.options = options
        prefixes = IndexPrefixes(options.prefixes)
        self.target = target
        self.servers = servers
        self.sweepOptions = sweepOptions
        self.logger = logger
        let dimensions = [("target", target.name)]
        lookups = Counter(label: "unstale_index_lookups_total", dimensions: dimensions)
        fallbacks = Counter(label: "unstale_index_fallbacks_total", dimensions: dimensions)
        keys = Gauge(label: "unstale_index_keys", dimensions: dimensions)
        bytes = Gauge(label: "unstale_index_bytes", dimensions: dimensions)
    }

    /// How it stands.
    var status: KeyIndexStatus {
        let state = state.withLock { $0 }
        var status = KeyIndexStatus(of: state.indexes.values.map(\.status))
        status.lookups = state.lookups
        status.fallbacks = state.fallbacks
        return status
    }

    /// Builds it, and keeps it until the task is cancelled. Called once.
    func run() async {
        await target.topology.forEachServer { address in
            let index = self.makeIndex(of: address)
            self.state.withLock { $0.indexes[address] = index }
            await index.run()
            self.state.withLock { $0.indexes[address] = nil }
            self.tellSize()
        }
    }

    /// Whether the index has every key that the pattern can match.
    func covers(_ pattern: Pattern) -> Bool { prefixes.cover(pattern) }

    /// Deletes every key that one of the patterns matches, all of which are covered. Gives what came of it; nil: they have
    /// to be scanned for.
    func sweep(
        _ patterns: [Pattern], fenced: Set<Pattern>
    ) async throws(CancellationError) -> IndexedSweep.Result? {
        let filter = SweepFilter(
            patterns, fenced: fenced.intersection(patterns), companions: target.companions)
        let result = try await target.topology.isCluster ? sweepCluster(filter) : sweepServers(filter)
        state.withLock { state in
            if result == nil { state.fallbacks += 1 } else { state.lookups += 1 }
        }
        (result == nil ? fallbacks : lookups).increment()
        return result
    }

    private func sweepServers(_ filter: SweepFilter) async throws(CancellationError) -> IndexedSweep.Result? {
        let masters = target.topology.map?.masters ?? []
        let indexes = state.withLock { state in masters.compactMap { state.indexes[$0] } }
        guard indexes.count == masters.count else { return nil }
        // In a Cluster each key is deleted where it is.
        if !target.topology.isCluster {
            guard let server = await target.server, indexes.allSatisfy({ $0.leads(to: server) }) else { return nil }
        }
        return try await IndexedSweep(of: target, in: indexes, share: sweepOptions.share)?.run(filter)
    }

    /// A key may go from a server that is yet to be met to one that was there already. Where one may have, keys are
    /// scanned for, which knows what to do about it.
    private func sweepCluster(_ filter: SweepFilter) async throws(CancellationError) -> IndexedSweep.Result? {
        let members = try await servers.members()
        let watched = try await SlotWatch(servers: servers).whileWatching(members) { () throws(CancellationError) in
            try await self.sweepServers(filter)
        }
        guard let (result, moved) = watched, moved.isEmpty,
            Set(members.map(\.address)) == Set(target.topology.map?.masters ?? [])
        else { return nil }
        return result
    }

    private func makeIndex(of address: RedisURL.Address) -> KeyIndex {
        let url = target.topology.url(of: address)
        var logger = logger
        logger[metadataKey: "redis"] = "\(url)"
        return KeyIndex(options, prefixes: prefixes, of: target, sweepOptions: sweepOptions, logger: logger) {
            [weak self] in
            self?.tellSize()
        } connect: { options throws(RedisError) in
            try await RedisConnection.connect(to: url, options: options)
        }
    }

    private func tellSize() {
        let status = status
        keys.record(status.keys)
        bytes.record(status.bytes)
    }
}
