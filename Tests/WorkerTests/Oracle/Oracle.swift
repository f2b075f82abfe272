import Postgres
import Rules
import TestSupport
import Testing

/// Knows from the tables what may be in the cache, and what must still be there.
struct Oracle {
    let site: Site
    /// What was cached last while nothing was written and nothing was left to do.
    private(set) var filled: [Key: String] = [:]
    /// What was cached first.
    private(set) var first: [Key: String] = [:]

    init(_ site: Site) { self.site = site }

    /// Caches everything that can be cached. Nobody may write meanwhile, and no change may be left to serve.
    mutating func fill() async throws {
        let connection = try await site.connect()
        filled = try await cacheable(connection)
        if first.isEmpty { first = filled }
        let cache = try await site.cache()
        try await cache.set(filled)
        try await cache.set(Dictionary(Canaries.keys.map { ($0, "canary") }) { $1 })
        // By this the cursor that says so is on the disk.
        try await connection.sql("CREATE TABLE IF NOT EXISTS durable (); DROP TABLE durable")
    }

    /// What the tables say now.
    private func cacheable(_ connection: PostgresConnection) async throws -> [Key: String] {
        try await connection.sql("SELECT key, value FROM cacheable").entries
    }

    /// How much the cache may have lost.
    enum Losses {
        /// Nothing that has not changed since the last fill.
        case none
        /// What has changed since the first fill and was cached again: the window was replayed.
        case replayed
        /// Anything: Redis came back without what it held.
        case everything
    }

    /// Records an issue for each entry that is cached and not what the tables say, and for each that is gone
    /// although nothing that it is made of has changed.
    func check(losses: Losses = .none, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let now = try await cacheable(try await site.connect())
        let cached = try await site.cache().entries()
        let stale = cached.filter { entry in
            !Canaries.keys.contains(entry.key) && now[entry.key] != entry.value
                && !entry.key.description.hasPrefix("unstale:fence:")
        }
        report(
            "stale", stale.map { "\($0): cached \($1), in the tables \(now[$0] ?? "nothing")" },
            sourceLocation)
        let unchanged =
            switch losses {
            case .none: filled.filter { now[$0.key] == $0.value }
            case .replayed: first.filter { now[$0.key] == $0.value }
            case .everything: [Key: String]()
            }
        report(
            "gone, though unchanged", unchanged.keys.filter { cached[$0] == nil }.map(\.description),
            sourceLocation)
        if losses != .everything {
            let touched = Canaries.keys.filter { cached[$0] != "canary" }
            report("canaries gone", touched.map(\.description), sourceLocation)
            // Or the above would say nothing.
            #expect(unchanged.count > first.count / 10, sourceLocation: sourceLocation)
        }
        let changed = filled.count { now[$0.key] != $0.value }
        #expect(changed > filled.count / 10, sourceLocation: sourceLocation)
    }

    private func report(_ what: String, _ lines: [String], _ sourceLocation: SourceLocation) {
        guard !lines.isEmpty else { return }
        let some = lines.sorted().prefix(10).map { $0.prefix(300) }.joined(separator: "\n")
        Issue.record("\(lines.count) \(what):\n\(some)", sourceLocation: sourceLocation)
    }
}
