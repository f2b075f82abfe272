import Redis

/// One who tries the same again and again. While that comes to nothing for long although every server is well, the
/// servers count as waited for: otherwise nobody would hear of a slot that is stuck between two of them.
struct Retries: ~Copyable {
    private let servers: Servers
    private var start = ContinuousClock.now
    private var failures = 0
    private var complaint: Int?

    /// So many failures in a row are some three seconds. A slot that is handed over is seldom away for longer.
    private static let patience = 10

    init(of servers: Servers) { self.servers = servers }

    deinit { if let complaint { servers.withdraw(complaint) } }

    /// Something came of it.
    mutating func succeeded() {
        if let complaint { servers.withdraw(complaint) }
        (failures, complaint) = (0, nil)
    }

    /// Nothing came of it, for this reason if it is known. Returns when it is to be tried again. Where a connection was
    /// lost, that has a pause of its own; but servers that are about to hand over a slot, or that have none, answer at once.
    mutating func failed(_ reason: String?) async throws(CancellationError) {
        guard servers.topology.isCluster else { return }
        if failures == 0 { start = .now }
        failures += 1
        if failures >= Self.patience, complaint == nil, let reason {
            complaint = servers.complain(reason, since: start)
        }
        try await servers.rest(afterFailures: failures)
    }
}
