import Redis

/// Which keys there are with some prefixes, by what an index knows: all that are there from the moment on when every
/// key was known to be heard of that was written before.
struct KeyLookup {
    private let index: KeyIndex
    private let epoch: Int

    /// Nil: the index doesn't know every key.
    init?(in index: KeyIndex) {
        guard let epoch = index.completeEpoch else { return nil }
        self.index = index
        self.epoch = epoch
    }

    /// Returns when every key has been heard of that was written before. False: that can't be known.
    func catchUp() async throws(CancellationError) -> Bool { try await index.catchUp(in: epoch) }

    /// Calls `body` with all keys that begin with one of the prefixes, page by page. False: it can't be known that these
    /// were all.
    func forEachPage(
        of prefixes: [[UInt8]], _ body: (RedisStrings) async throws(CancellationError) -> Void
    ) async throws(CancellationError) -> Bool {
        for prefix in IndexPrefixes.distinct(prefixes) {
            var start = prefix
            while true {
                guard let page = index.page(of: prefix, from: start, in: epoch) else { return false }
                guard let last = page.last else { break }
                try await body(page)
                // There may be a thousand pages without a hit, and others run on this thread too.
                await Task.yield()
                // The next possible key in the order of bytes.
                start = Array(last) + [0]
            }
        }
        return true
    }
}
