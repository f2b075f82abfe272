import Redis

/// Which keys with some prefixes there are, by what an index knows. Nobody uses it but the one who has opened it.
///
/// Every key is met that is there from ``KeyIndex/open()`` on until the end.
final class KeyLookup {
    private let index: KeyIndex
    private let epoch: Int
    private let number: Int

    /// For ``KeyIndex/open()``.
    init(_ number: Int, of index: KeyIndex, in epoch: Int) {
        self.index = index
        self.epoch = epoch
        self.number = number
    }

    deinit { index.close(number) }

    /// Returns when every key has been heard of that was written before. False: that can't be known.
    func catchUp() async throws(CancellationError) -> Bool { try await index.catchUp(in: epoch) }

    /// Calls `body` with all keys that begin with one of the prefixes, page by page. False: it can't be known that these
    /// were all.
    func forEachPage(
        of prefixes: [[UInt8]], _ body: (RedisStrings) async throws(CancellationError) -> Void
    ) async throws(CancellationError) -> Bool {
        for prefix in IndexPrefixes.distinct(prefixes) {
            var start = prefix
            repeat {
                guard let page = index.page(of: prefix, from: start, in: epoch) else { return false }
                guard let last = page.last else { break }
                // The next possible key in the order of bytes.
                start = Array(last) + [0]
                try await body(page)
            } while true
        }
        return true
    }
}
