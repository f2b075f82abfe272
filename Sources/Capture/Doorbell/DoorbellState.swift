/// Whether writers ring, and what the worker does next: the decisions of the doorbell, without its connections.
///
/// `awake`: writers don't ring, the worker reads by the clock. `arming`: the exclusive lock is asked for and not
/// yet granted; new writers ring, those from before don't, so the worker also polls. `armed`: every writer rings.
/// Armed, the worker stays armed while it serves what rang, as long as that is little: ringing costs a quiet
/// application nothing, and a lone change is read at once.
struct DoorbellState: Sendable {
    enum Mode: Equatable, Sendable { case awake, arming, armed }

    /// What the shell has to do with the lock.
    enum Action: Equatable, Sendable {
        case none, askForLock
        /// The lock is held, or still asked for.
        case releaseLock(isHeld: Bool)
    }

    /// How often, and how patiently, the worker reads when nobody rings.
    struct Pace: Sendable {
        /// Between two reads while awake.
        var awake: Duration = .milliseconds(5)
        /// The longest wait between two reads while arming.
        var arming: Duration = .milliseconds(50)
        /// How long nothing must have come before a worker that was too busy for the doorbell asks for it again:
        /// longer than a commit's wait for the disk, which stops all writers at once.
        var quiet: Duration = .milliseconds(50)
        /// How long writers must have been less than busy before it asks for it though they go on: so much longer than
        /// it takes to find out that it was a mistake (some 0.1 s) that this costs next to nothing.
        var calm: Duration = .seconds(2)
        /// The safety sweep while armed; nil: none.
        var sweep: Duration? = .seconds(1)
    }

    private(set) var mode = Mode.awake
    private let pace: Pace
    private var armingWait: Duration
    private var load = WriterLoad()
    private var lastRecords: ContinuousClock.Instant?
    /// When writers were last busy, or the first read since the worker woke up; nil: there was none.
    private var lastBusy: ContinuousClock.Instant?

    init(pace: Pace) {
        self.pace = pace
        armingWait = pace.awake
    }

    /// A read brought this many records.
    mutating func didRead(
        records: Int, isFull: Bool, snapshot: Snapshot, begun: Int, at now: ContinuousClock.Instant
    ) -> Action {
        let isBusy = load.isBusy(records: records, snapshot: snapshot, begun: begun, at: now) || isFull
        if records > 0 { lastRecords = now }
        let lastBusy = isBusy ? now : lastBusy ?? now
        self.lastBusy = lastBusy
        let isQuiet = lastRecords.map { now - $0 >= pace.quiet } ?? true
        switch mode {
        case .awake where isQuiet || now - lastBusy >= pace.calm:
            mode = .arming
            armingWait = pace.awake
            return .askForLock
        case .arming, .armed:
            guard isBusy else {
                armingWait = records > 0 ? pace.awake : min(armingWait * 2, pace.arming)
                return .none
            }
            return standDown()
        case .awake: return .none
        }
    }

    /// The worker is not going to wait for the doorbell for a while.
    mutating func standDown() -> Action {
        defer {
            mode = .awake
            lastBusy = nil
        }
        return mode == .awake ? .none : .releaseLock(isHeld: mode == .armed)
    }

    /// The lock was granted. What was written before that, without a ring, is yet to be read.
    mutating func didLock() {
        if mode == .arming { mode = .armed }
    }

    /// How long to wait for the doorbell before the next read; nil: until it rings.
    var wait: Duration? {
        switch mode {
        case .awake: pace.awake
        case .arming: armingWait
        case .armed: pace.sweep
        }
    }
}
