import Redis
import Rules

/// Deletes keys by pattern with what indexes know, one for each server of a target. As a pass does, it renews the fences
/// first, and looks for keys after that: see ``Sweeper``.
struct IndexedSweep {
    private let target: Target
    private let lookups: [KeyLookup]
    private let share: Double

    /// Nil: some index doesn't know every key.
    init?(of target: Target, in indexes: [KeyIndex], share: Double) {
        lookups = indexes.compactMap { KeyLookup(in: $0) }
        guard !indexes.isEmpty, lookups.count == indexes.count else { return nil }
        self.target = target
        self.share = share
    }

    /// Deletes. Gives the failures, and what it was about; nil: something may have been missed.
    func run(_ filter: SweepFilter) async throws(CancellationError) -> Result? {
        var result = Result()
        if !filter.fencePrefixes.isEmpty {
            let fences = try await delete(filter.fencePrefixes, fencing: .all, filter.keysOfFences)
            guard let fences else { return nil }
            result.failures = fences.failures
        }
        guard let deleted = try await delete(filter.keyPrefixes, fencing: .none, filter.keys) else { return nil }
        let known = Set(result.failures.map(\.key))
        result.failures += deleted.failures.filter { !known.contains($0.key) }
        result.keysMatched = deleted.keysMatched
        return result
    }

    /// What came of it.
    struct Result {
        var failures: [Failure] = []
        var keysMatched = 0
    }

    private func delete(
        _ prefixes: [[UInt8]], fencing: Fencing, _ hits: (RedisStrings) -> [Key]
    ) async throws(CancellationError) -> Result? {
        for lookup in lookups {
            guard try await lookup.catchUp() else { return nil }
        }
        var deletion = Deletion(target: target, fencing: fencing, share: share)
        for lookup in lookups {
            let isComplete = try await lookup.forEachPage(of: prefixes) { page throws(CancellationError) in
                try await deletion.add(hits(page))
            }
            guard isComplete else { return nil }
        }
        try await deletion.carryOut()
        return deletion.result
    }

    /// Keys that are deleted some at a time, with rests in between that leave Redis its time.
    private struct Deletion {
        let target: Target
        let fencing: Fencing
        let share: Double
        private(set) var result = Result()
        private var waiting: [Key] = []
        private var restUntil = ContinuousClock.now
        /// So many at once: a tenth of a millisecond or so of Redis' time.
        private static let batch = 500

        init(target: Target, fencing: Fencing, share: Double) {
            (self.target, self.fencing, self.share) = (target, fencing, share)
        }

        mutating func add(_ keys: [Key]) async throws(CancellationError) {
            waiting += keys
            if waiting.count >= Self.batch { try await carryOut() }
        }

        mutating func carryOut() async throws(CancellationError) {
            guard !waiting.isEmpty else { return }
            // The pace.
            do { try await Task.sleep(until: restUntil) } catch { throw CancellationError() }
            let start = ContinuousClock.now
            result.failures += try await target.delete(waiting, fencing: fencing)
            result.keysMatched += waiting.count
            waiting = []
            let end = ContinuousClock.now
            restUntil = end + SweepPace.rest(after: end - start, share: share)
        }
    }
}
