import Logging
import Redis
import Synchronization

/// Connections to all servers of a deployment that have keys, each of which comes back by itself.
final class Servers: Sendable {
    private struct State {
        var links: [RedisURL.Address: Link] = [:]
        var states: [RedisURL.Address: TargetState] = [:]
        var identities: [RedisURL.Address: RedisIdentity] = [:]
        /// What nothing comes of for long, although each server is well.
        var complaints: [Int: TargetState] = [:]
        var lastComplaint = 0
        var announced = TargetState.connecting
        /// See ``Place/era``.
        var era = 0
        var hasEnded = false
    }

    /// One server of them, and the connection that leads there now.
    struct Member: Sendable {
        let address: RedisURL.Address
        let link: Link
        let connection: RedisConnection
    }

    let topology: Topology
    private let target: String
    private let options: TargetOptions
    private let logger: Logger
    private let isTrouble: @Sendable (RedisErrorReply) -> Bool
    private let onIdentity: @Sendable (RedisIdentity) async -> Void
    private let onState: @Sendable (TargetState) -> Void
    private let state = Mutex(State())
    private let changed = Signal()

    /// - Parameters:
    ///   - target: The target's name.
    ///   - isTrouble: whether an error is the server's and not the command's; nil: as ``Trouble`` has it.
    ///   - onIdentity: told which servers these are, before a connection to a new one is given to anybody.
    ///   - onState: told each change of the state.
    init(
        of topology: Topology, target: String, options: TargetOptions, logger: Logger,
        isTrouble: (@Sendable (RedisErrorReply) -> Bool)? = nil,
        onIdentity: @escaping @Sendable (RedisIdentity) async -> Void = { _ in },
        onState: @escaping @Sendable (TargetState) -> Void = { _ in }
    ) {
        self.topology = topology
        self.target = target
        self.options = options
        self.logger = logger
        let isCluster = topology.isCluster
        self.isTrouble = isTrouble ?? { isCluster ? Trouble($0).isServers : Trouble($0).isTargets }
        self.onIdentity = onIdentity
        self.onState = onState
    }

    /// Where they stand together.
    var currentState: TargetState { state.withLock { $0.announced } }

    /// Keeps the connections until the task is cancelled; then all who wait get a `CancellationError`.
    func run() async {
        await topology.forEachServer(onChange: announce) { await self.serve($0) }
        state.withLock { $0.hasEnded = true }
        changed.fire()
    }

    /// The one server, by its `run_id`; nil while none is reached, and in a Cluster.
    var only: String? {
        get async {
            guard !topology.isCluster, let link = state.withLock({ $0.links.values.first }) else { return nil }
            return await link.server
        }
    }

    /// A connection to each server that has keys, as soon as all take commands.
    func members() async throws(CancellationError) -> [Member] {
        while true {
            let map = try await topology.knownMap()
            var members: [Member] = []
            for address in map.masters {
                guard let link = try await link(to: address), let connection = try await connection(of: link) else {
                    break
                }
                members.append(Member(address: address, link: link, connection: connection))
            }
            if members.count == map.masters.count { return members }
        }
    }

    /// Sends each group once to whoever has its keys, and again only where a redirection says so. Nil for those that
    /// got no replies, or whose place is gone, and trouble of a server in the last of a group's replies: these are to be
    /// tried again.
    func attempt(_ groups: [CommandGroup]) async throws(CancellationError) -> [Answer?] {
        var map = try await topology.knownMap()
        var routed = groups.map { RoutedGroup($0, isCluster: map.isCluster) }
        var places = [Place?](repeating: nil, count: groups.count)
        while true {
            var steps: [RedisURL.Address: [Step]] = [:]
            for index in routed.indices {
                guard let step = routed[index].step(map) else { continue }
                steps[step.address, default: []].append((index, step.commands, groups[index].place))
            }
            if steps.isEmpty { break }
            for answers in try await send(steps) {
                for (index, replies) in zip(answers.indexes, answers.replies) {
                    places[index] = answers.place
                    let redirection = routed[index].take(replies, from: answers.address)
                    if let redirection { topology.follow(redirection) }
                }
            }
            map = topology.map ?? map
        }
        if routed.contains(where: \.doubtsMap) { topology.doubt() }
        return zip(routed, places).map { routed, place in
            if case .done(let replies) = routed.outcome { Answer(replies: replies, place: place) } else { nil }
        }
    }

    /// Commands of the group with this number, and the only place for them if there is one.
    private typealias Step = (index: Int, commands: [RedisCommand], place: Place?)

    private typealias Answers = (address: RedisURL.Address, place: Place?, indexes: [Int], replies: [[RedisReply]?])

    /// Waits before what came to nothing is tried again.
    func rest(afterFailures failures: Int) async throws(CancellationError) {
        var random = SystemRandomNumberGenerator()
        let delay = options.backoff.delay(afterFailures: failures, using: &random)
        // The backoff.
        do { try await Task.sleep(for: delay) } catch { throw CancellationError() }
    }

    /// From now on these servers are waited for, though each of them is well. Gives what ``withdraw(_:)`` takes.
    func complain(_ reason: String, since start: ContinuousClock.Instant) -> Int {
        let (id, isFirst) = state.withLock { state in
            state.lastComplaint += 1
            state.complaints[state.lastComplaint] = .paused(since: start, reason: reason)
            return (state.lastComplaint, state.complaints.count == 1)
        }
        if isFirst { logger.warning("Redis is waited for", metadata: ["reason": "\(reason)"]) }
        announce()
        return id
    }

    /// That has come to something, or nobody tries it any more.
    func withdraw(_ complaint: Int) {
        let isLast = state.withLock { state in
            state.complaints[complaint] = nil
            return state.complaints.isEmpty
        }
        if isLast { logger.notice("Redis is back") }
        announce()
    }

    /// One pipeline for each server, all at the same time.
    private func send(_ steps: [RedisURL.Address: [Step]]) async throws(CancellationError) -> [Answers] {
        // Nearly always there is one, which needs no task.
        if steps.count == 1, let (address, steps) = steps.first { return [try await send(steps, to: address)] }
        do {
            return try await withThrowingTaskGroup(of: Answers.self) { group in
                for (address, steps) in steps { group.addTask { try await self.send(steps, to: address) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        } catch {
            throw CancellationError()
        }
    }

    private func send(_ steps: [Step], to address: RedisURL.Address) async throws(CancellationError) -> Answers {
        let indexes = steps.map(\.index)
        let none = [[RedisReply]?](repeating: nil, count: steps.count)
        guard let link = try await link(to: address), let connection = try await connection(of: link) else {
            return (address, nil, indexes, none)
        }
        // Read after the connection was given: where that is not the one of this era, it is closed.
        let place = Place(address: address, era: state.withLock { $0.era })
        let isDue = steps.map { $0.place == nil || $0.place == place }
        let due = zip(steps, isDue).filter { $0.1 }.map { $0.0 }
        guard !due.isEmpty else { return (address, place, indexes, none) }
        // What has a place is not done by the connection that comes after a pause.
        let mayProbe = due.allSatisfy { $0.place == nil }
        let commands = due.flatMap(\.commands) + acknowledgement
        guard let replies = try await link.attempt(commands, on: connection, mayProbe: mayProbe) else {
            return (address, place, indexes, none)
        }
        if let wait = options.replicaWait, let shortfall = wait.shortfall(replies.last) {
            await link.pause(shortfall, of: connection, probe: wait.command)
            return (address, place, indexes, none)
        }
        var rest = replies[...]
        return (
            address, place, indexes,
            zip(steps, isDue).map { step, isDue -> [RedisReply]? in
                guard isDue else { return nil }
                defer { rest = rest.dropFirst(step.commands.count) }
                return Array(rest.prefix(step.commands.count))
            }
        )
    }

    /// What asks whether replicas have what was written before it, on the same connection.
    private var acknowledgement: [RedisCommand] { options.replicaWait.map { [$0.command] } ?? [] }

    /// The link to a server; nil: it has no keys any more.
    private func link(to address: RedisURL.Address) async throws(CancellationError) -> Link? {
        while true {
            let (link, hasEnded) = state.withLock { ($0.links[address], $0.hasEnded) }
            if let link { return link }
            if hasEnded { throw CancellationError() }
            guard topology.servers.addresses.contains(address) else { return nil }
            try await changed.wait { state.withLock { $0.links[address] == nil && !$0.hasEnded } }
        }
    }

    /// The connection of a link; nil: its server has no keys any more.
    private func connection(of link: Link) async throws(CancellationError) -> RedisConnection? {
        do throws(CancellationError) {
            return try await link.connection()
        } catch {
            if Task.isCancelled || state.withLock({ $0.hasEnded }) { throw error }
            // By this the link's own end is told too: the Cluster has done without that server since.
            await Task.yield()
            return nil
        }
    }

    /// Keeps a connection until the task is cancelled.
    private func serve(_ address: RedisURL.Address) async {
        let link = makeLink(to: address)
        state.withLock { state in
            state.links[address] = link
            state.states[address] = .connecting
        }
        changed.fire()
        await link.run()
        state.withLock { state in
            state.links[address] = nil
            state.states[address] = nil
            state.identities[address] = nil
            state.era += 1
        }
        changed.fire()
    }

    private func makeLink(to address: RedisURL.Address) -> Link {
        let url = topology.url(of: address)
        var logger = logger
        logger[metadataKey: "redis"] = "\(url)"
        return Link(
            to: url, target: target, options: options, logger: logger, isTrouble: isTrouble,
            onIdentity: { await self.reached(address, $0) }, onState: { self.changed(to: $0, at: address) })
    }

    /// A Cluster is the one that it was before as long as each of its masters is.
    private func reached(_ address: RedisURL.Address, _ identity: RedisIdentity) async {
        guard topology.isCluster else { return await onIdentity(identity) }
        let masters = topology.map?.masters ?? []
        let known = state.withLock { state in
            state.identities[address] = identity
            return masters.compactMap { state.identities[$0] }
        }
        guard masters.contains(address), known.count == masters.count else { return }
        await onIdentity(RedisIdentity(cluster: known))
    }

    private func changed(to new: TargetState, at address: RedisURL.Address) {
        var new = new
        if topology.isCluster, case .paused(let since, let reason) = new {
            // Where a server is down, another may have its keys by now.
            topology.doubt()
            new = .paused(since: since, reason: reason.contains("\(address)") ? reason : "\(address): \(reason)")
        }
        state.withLock { state in
            // Told of each connection before it is given to anybody, and of each loss. A try that fails is neither.
            if new == .connected || state.states[address] == .connected { state.era += 1 }
            if state.links[address] != nil { state.states[address] = new }
        }
        announce()
    }

    /// Tells what has changed of the common state. Called whenever something may have.
    private func announce() {
        // Read and told within, so that nothing older is told last.
        state.withLock { state in
            let masters = (topology.map?.masters ?? []).map { state.states[$0] ?? .connecting }
            let common = TargetState(common: [topology.health] + masters + state.complaints.values)
            guard common != state.announced else { return }
            state.announced = common
            onState(common)
        }
    }
}

extension TargetState {
    /// What holds of all when each is in one of these: they are waited for while one is.
    init(common states: [TargetState]) {
        let pauses = states.compactMap { state -> (since: ContinuousClock.Instant, reason: String)? in
            if case .paused(let since, let reason) = state { (since, reason) } else { nil }
        }
        if let first = pauses.min(by: { $0.since < $1.since }) {
            self = .paused(since: first.since, reason: first.reason)
        } else {
            self = states.contains(.connecting) ? .connecting : .connected
        }
    }
}

extension RedisIdentity {
    /// The identity of a Cluster whose masters have these.
    fileprivate init(cluster masters: [RedisIdentity]) {
        let servers = Set(masters.map(\.server)).sorted().joined(separator: " and ")
        self.init(
            runID: masters.map(\.runID).sorted().joined(separator: ","),
            replicationID: masters.map(\.replicationID).sorted().joined(separator: ","), role: .master,
            server: "a Cluster of \(masters.count) masters, \(servers)")
    }
}
