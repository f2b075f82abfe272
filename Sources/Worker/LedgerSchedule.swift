/// When a target's row is to be stored. A value.
///
/// To store it is a transaction, which moves the snapshot that the next read takes: a worker that stored every snapshot
/// would have a reason to write for ever.
struct LedgerSchedule: Sendable {
    /// How long a cursor may wait that tells nothing but which transactions have ended. `unstale status` shows when the
    /// row was stored last, so this is also about how old that gets.
    static let rest = Duration.seconds(10)

    private var last: (entry: Ledger.Entry, progress: Int, at: ContinuousClock.Instant)?

    /// Whether it is time to store an entry.
    ///
    /// - Parameter progress: The window's, when the entry was made.
    func isDue(_ entry: Ledger.Entry, progress: Int, at instant: ContinuousClock.Instant) -> Bool {
        guard var last else { return true }
        let isLong = instant - last.at >= Self.rest
        let hasProgressed = progress != last.progress
        last.entry.cursor = entry.cursor
        return entry != last.entry || hasProgressed || isLong
    }

    /// It is stored.
    mutating func stored(_ entry: Ledger.Entry, progress: Int, at instant: ContinuousClock.Instant) {
        last = (entry, progress, instant)
    }
}
