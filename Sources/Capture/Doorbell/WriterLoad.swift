/// Whether writers have better things to do than to ring. A value, fed with what each read saw.
///
/// Two signs: many records a second, or several transactions under way at once. The second matters more. A
/// transaction that notifies holds a lock over all commits until its own is on disk, so ringing makes concurrent
/// writers queue up behind one another, and so slow that by their rate alone they would look idle.
struct WriterLoad: Sendable {
    /// Ringing and a read for each is cheap up to here: some 150 µs of both sides' CPU a change.
    private static let recordsPerSecond = 1_500.0
    /// Transactions under way, on average over the reads of a window.
    private static let concurrentWriters = 2
    /// What the averages are over: at least this long, and this many reads.
    private static let window = Duration.milliseconds(100)
    private static let windowReads = 8

    private var start: ContinuousClock.Instant?
    /// Transactions from here on count as under way; older ones are just open.
    private var oldestXid: UInt64 = 0
    private var latestXmax: UInt64 = 0
    private var reads = 0
    private var records = 0
    private var writers = 0

    /// A read brought this many records. It saw `snapshot`, and `begun` transactions were too young for that.
    /// Returns whether writers are busy.
    mutating func isBusy(
        records count: Int, snapshot: Snapshot, begun: Int, at now: ContinuousClock.Instant
    ) -> Bool {
        if let start, now - start < Self.window || reads < Self.windowReads {
            reads += 1
        } else {
            // Whoever began in the window before this one, or later.
            oldestXid = start == nil ? snapshot.xmax : latestXmax
            latestXmax = snapshot.xmax
            start = now
            (reads, records, writers) = (1, 0, 0)
        }
        records += count
        writers += snapshot.inProgress.count { $0 >= oldestXid } + begun
        let elapsed = max(Self.window, start.map { now - $0 } ?? .zero) / .seconds(1)
        return Double(records) > Self.recordsPerSecond * elapsed
            || reads >= Self.windowReads && writers >= Self.concurrentWriters * reads
    }
}
