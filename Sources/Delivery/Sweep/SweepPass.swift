import Redis
import Rules

/// One pass over all keys of a target, on the connections that it begins with: others may lead to servers to which a
/// cursor means nothing, and that have other tokens.
struct SweepPass: Sendable {
    /// What is counted.
    enum Count: Sendable {
        case scanned, matched, fences
    }

    /// What is looked for, and what becomes of it.
    struct Search: Sendable {
        /// What keys look like that may be among the hits.
        let pattern: Pattern
        let hits: @Sendable (RedisStrings) -> [Key]
        let fencing: Fencing
        let count: Count
        /// Whom keys are shown besides.
        var visit: @Sendable (RedisStrings) async throws(CancellationError) -> Void = { _ in }
    }

    let target: Target
    let servers: Servers
    let members: [Servers.Member]
    let filter: SweepFilter
    let options: SweepOptions
    let count: @Sendable (Count, Int) -> Void

    /// Gives the failures; nil when the pass was broken off.
    func run() async throws(CancellationError) -> [Failure]? {
        var failures: [Key: Failure] = [:]
        let keys = Search(
            pattern: filter.keyPattern, hits: filter.keys, fencing: .none, count: .matched,
            visit: filter.visit)
        let fences = filter.fencePattern.map {
            Search(pattern: $0, hits: filter.keysOfFences, fencing: .all, count: .fences)
        }
        for search in [fences, keys].compactMap(\.self) {
            guard let failed = try await carryOut(search) else { return nil }
            for failure in failed where failures[failure.key] == nil { failures[failure.key] = failure }
        }
        return Array(failures.values)
    }

    /// Everywhere; nil when it was broken off.
    private func carryOut(_ search: Search) async throws(CancellationError) -> [Failure]? {
        guard target.topology.isCluster else { return try await scan(members[0], search) }
        // A key may go from a server that is yet to be met to one that was there already.
        let watch = SlotWatch(servers: servers)
        let watched = try await watch.whileWatching(members) { () throws(CancellationError) in
            try await scanAll(search)
        }
        guard let watched else { return nil }
        var failures = watched.result
        let isComplete = try await SlotVisit(watch: watch, slots: watched.moved, share: options.share).run {
            member throws(CancellationError) in
            try await scan(member, search).map { failures += $0 }
        } take: { keys throws(CancellationError) in
            let keys = RedisStrings(keys)
            failures += try await take(search.hits(keys), search)
            try await search.visit(keys)
        }
        return isComplete ? failures : nil
    }

    private func scanAll(_ search: Search) async throws(CancellationError) -> [Failure]? {
        do {
            return try await withThrowingTaskGroup(of: [Failure]?.self) { group in
                for member in members { group.addTask { try await scan(member, search) } }
                var failures: [Failure]? = []
                for try await failed in group { failures = failed.flatMap { failed in failures.map { $0 + failed } } }
                return failures
            }
        } catch {
            throw CancellationError()
        }
    }

    /// One SCAN of everything that a server has, which deletes the hits. Gives the failures; nil when it was broken off.
    private func scan(_ member: Servers.Member, _ search: Search) async throws(CancellationError) -> [Failure]? {
        var pace = try await SweepPace(options) { () throws(CancellationError) in
            _ = try await member.link.attempt([RedisCommand("PING")], on: member.connection)
        }
        var cursor = ScanPage.edge
        var failures: [Failure] = []
        repeat {
            try await target.waitWhileHeld()
            let start = ContinuousClock.now
            guard let page = try await page(from: cursor, search.pattern, count: pace.count, on: member) else {
                return nil
            }
            var idleSince = ContinuousClock.now
            var rest = pace.scanned(in: idleSince - start)
            count(.scanned, page.keys.count)
            let hits = search.hits(page.keys)
            if !hits.isEmpty {
                failures += try await take(hits, search)
                rest += pace.deleted(hits.count, in: .now - idleSince)
                idleSince = .now
            }
            try await search.visit(page.keys)
            let visited = ContinuousClock.now
            rest += pace.visited(in: visited - idleSince)
            idleSince = visited
            // The pace.
            try await member.connection.rest(until: idleSince + rest)
            cursor = page.cursor
        } while cursor != ScanPage.edge
        return failures
    }

    private func take(_ hits: [Key], _ search: Search) async throws(CancellationError) -> [Failure] {
        count(search.count, hits.count)
        return hits.isEmpty ? [] : try await target.delete(hits, fencing: search.fencing)
    }

    private func page(
        from cursor: [UInt8], _ pattern: Pattern, count: Int, on member: Servers.Member
    ) async throws(CancellationError) -> ScanPage? {
        let scan = ScanPage.command(from: cursor, count: count, matching: pattern)
        guard let reply = try await member.link.attempt([scan], on: member.connection)?.first else { return nil }
        guard let page = ScanPage(reply) else {
            await member.link.pause("SCAN was answered with no page of keys", of: member.connection, probe: scan)
            return nil
        }
        return page
    }
}
