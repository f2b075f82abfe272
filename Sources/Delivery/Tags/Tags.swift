import Redis
import Rules

/// Deletes what is filed under tags, large ones at a pace that leaves Redis most of its time. ``TagProgress`` says why
/// that misses nothing.
struct Tags: Sendable {
    /// What came of it.
    struct Outcome {
        /// Tags that can't be emptied by their own fault, with the reasons.
        var failedTags: [Failure] = []
        /// Keys that can't be deleted by their own fault, and the tags that they were filed under.
        var failedKeys: [(failure: Failure, tag: Key)] = []
        /// How many keys were deleted, by tag.
        var deleted: [Key: Int] = [:]
    }

    private let target: Target
    private let options: SweepOptions
    /// So many small tags are emptied in one round trip.
    private static let tagsPerPipeline = 100

    init(_ target: Target, options: SweepOptions) {
        self.target = target
        self.options = options
    }

    /// Deletes all keys that are filed under these tags from now on until this returns, and the tags. However long the
    /// target is in trouble, this waits for it.
    ///
    /// - Parameter isFenced: whether the key, filed under the tag, gets a fence.
    func empty(
        _ tags: [Key], isFenced: (_ key: Key, _ tag: Key) -> Bool
    ) async throws(CancellationError) -> Outcome {
        var outcome = Outcome()
        var random = SystemRandomNumberGenerator()
        var retries = target.retries()
        var rest = tags[...]
        while !rest.isEmpty {
            var open = rest.prefix(Self.tagsPerPipeline).map { tag in
                TagProgress(tag, ownToken: Fence.token(using: &random), companions: target.companions)
            }
            rest = rest.dropFirst(open.count)
            while true {
                outcome.failedTags += open.compactMap { tag in tag.failure.map { Failure(key: tag.tag, reason: $0) } }
                open.removeAll(where: \.isDone)
                if open.isEmpty { break }
                try await round(&open, isFenced, &outcome, &retries)
            }
        }
        return outcome
    }

    /// Empties one set of each tag, but for those that came to nothing, of which nothing is lost by that.
    private func round(
        _ tags: inout [TagProgress], _ isFenced: (Key, Key) -> Bool, _ outcome: inout Outcome,
        _ retries: inout Retries
    ) async throws(CancellationError) {
        let groups = tags.indices.map { tags[$0].take() }
        let answers = try await target.attempt(groups, &retries)
        var pages: [(index: Int, page: ScanPage)] = []
        for (index, answer) in answers.enumerated() {
            if let answer, let page = tags[index].took(answer) { pages.append((index, page)) }
        }
        let found = pages.flatMap { index, page in page.keys.map { (Key(bytes: Array($0)), tags[index].tag) } }
        try await delete(found, isFenced, &outcome)
        // Small ones don't wait for large ones.
        try await finish(pages.filter { $0.page.cursor == ScanPage.edge }.map(\.index), of: &tags, &retries)
        for (index, page) in pages where page.cursor != ScanPage.edge {
            let isRead = try await readOn(&tags[index], from: page.cursor, isFenced, &outcome, &retries)
            if isRead { try await finish([index], of: &tags, &retries) }
        }
    }

    /// Removes sets that were read, each key of which is gone.
    private func finish(
        _ indexes: [Int], of tags: inout [TagProgress], _ retries: inout Retries
    ) async throws(CancellationError) {
        let answers = try await target.attempt(indexes.map { tags[$0].finish }, &retries)
        for (index, answer) in zip(indexes, answers) where answer != nil { tags[index].finished() }
    }

    /// Reads and deletes the rest of a large set; false when it was broken off.
    private func readOn(
        _ tag: inout TagProgress, from start: [UInt8], _ isFenced: (Key, Key) -> Bool, _ outcome: inout Outcome,
        _ retries: inout Retries
    ) async throws(CancellationError) -> Bool {
        let ping = CommandGroup(key: tag.tag, commands: [RedisCommand("PING")])
        var pace = try await SweepPace(options) { () throws(CancellationError) in
            _ = try await target.execute(groups: [ping])
        }
        var cursor = start
        while cursor != ScanPage.edge {
            let start = ContinuousClock.now
            let group = tag.read(from: cursor, count: pace.count)
            let answer = try await target.attempt([group], &retries)[0]
            guard let answer, let page = tag.read(answer.replies.first ?? .null) else { return false }
            let middle = ContinuousClock.now
            var rest = pace.scanned(in: middle - start)
            try await delete(page.keys.map { (Key(bytes: Array($0)), tag.tag) }, isFenced, &outcome)
            let end = ContinuousClock.now
            rest += pace.deleted(page.keys.count, in: end - middle)
            // The pace.
            do { try await Task.sleep(until: end + rest) } catch { throw CancellationError() }
            cursor = page.cursor
        }
        return true
    }

    /// Names of our own are nobody's entries, whoever files them.
    private func delete(
        _ found: [(key: Key, tag: Key)], _ isFenced: (Key, Key) -> Bool, _ outcome: inout Outcome
    ) async throws(CancellationError) {
        let entries = found.filter { !$0.key.bytes.starts(with: SweepFilter.ownPrefix) }
        guard !entries.isEmpty else { return }
        let fenced = Set(entries.filter { isFenced($0.key, $0.tag) }.map(\.key))
        let failures = try await target.delete(entries.map(\.key), fenced: fenced)
        for entry in entries { outcome.deleted[entry.tag, default: 0] += 1 }
        guard !failures.isEmpty else { return }
        let tags = Dictionary(entries.map { ($0.key, $0.tag) }) { first, _ in first }
        outcome.failedKeys += failures.compactMap { failure in tags[failure.key].map { (failure, $0) } }
    }
}
