import Postgres
import Rules
import Synchronization
import TestSupport

/// Writes random transactions by several sessions at once, beside a reader that keeps caching, until it is told to
/// stop. Whatever happens to the servers meanwhile, they come back.
final class Load: Sendable {
    private let site: Site
    private let seed: UInt64
    private let state = Mutex((changes: 0, failures: 0, isOver: false))

    init(_ site: Site, seed: UInt64) {
        self.site = site
        self.seed = seed
    }

    /// How many statements have changed rows, and were committed.
    var changes: Int { state.withLock { $0.changes } }

    /// How many transactions have failed.
    var failures: Int { state.withLock { $0.failures } }

    /// Lends a load, and ends it afterwards, when every session has finished its transaction.
    static func with(
        _ site: Site, sessions: Int = 6, seed: UInt64, isolation: isolated (any Actor)? = #isolation,
        _ body: (Load) async throws -> Void
    ) async throws {
        let load = Load(site, seed: seed)
        let writers = (0..<sessions).map { number in Task { await load.write(number) } }
        let reader = Task { await load.cache() }
        func end() async {
            load.state.withLock { $0.isOver = true }
            for task in writers + [reader] { await task.value }
        }
        do {
            try await body(load)
            await end()
        } catch {
            await end()
            throw error
        }
    }

    /// Waits until this many more statements have changed rows.
    func wait(for more: Int, within deadline: Duration = .seconds(120)) async throws {
        let goal = changes + more
        try await eventually(within: deadline, "\(more) changes") { changes >= goal }
    }

    private var isOver: Bool { state.withLock { $0.isOver } }

    private func write(_ number: Int) async {
        var writer = ShopWriter(seed: seed &+ UInt64(number))
        var connection: PostgresConnection?
        while !isOver {
            let transaction = writer.transaction()
            do throws(PostgresError) {
                if connection == nil { connection = try await site.connect() }
                try await connection?.sql(transaction.sql)
                state.withLock { $0.changes += transaction.changes }
            } catch {
                // A deadlock, a unique key, or a server that is away: the database says what became of it.
                state.withLock { $0.failures += 1 }
                if error.isServerTrouble {
                    connection = nil
                    try? await Task.sleep(for: .milliseconds(20))
                } else if (try? await connection?.sql("ROLLBACK")) == nil {
                    connection = nil
                }
            }
        }
    }

    /// Caches single rows while they are locked against change: what is stored then is true, and whatever changes
    /// them later is committed after it was stored.
    private func cache() async {
        var random = SeededGenerator(seed: seed &- 1)
        var sessions: (database: PostgresConnection, cache: Cache)?
        while !isOver {
            let people = (0..<5).map { _ in
                SQL.literal(Shop.people[Int.random(in: Shop.people.indices, using: &random)])
            }
            let team = Shop.hot(Shop.teams)[Int.random(in: 0..<18, using: &random)]
            do {
                if sessions == nil { sessions = try await (site.connect(), site.cache()) }
                guard let (database, cache) = sessions else { continue }
                for query in [
                    """
                    SELECT 'person:' || id, concat_ws('/', email, stamp) FROM people
                    WHERE id IN (\(people.joined(separator: ", "))) ORDER BY id FOR SHARE
                    """,
                    """
                    SELECT 'member:' || urlencode(team) || ':' || md5(person), concat_ws('/', role, stamp)
                    FROM members WHERE team = \(SQL.literal(team)) ORDER BY person LIMIT 5 FOR SHARE
                    """,
                ] {
                    let rows = try await database.sql("BEGIN; \(query)")
                    try await cache.set(rows.entries)
                    try await database.sql("COMMIT")
                }
            } catch {
                sessions = nil
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

extension Rows {
    /// Rows of a key and a value.
    var entries: [Key: String] {
        Dictionary(map { (Key(bytes: Array($0.bytes(0) ?? [])), $0.text(1) ?? "") }) { $1 }
    }
}
