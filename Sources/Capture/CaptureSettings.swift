/// How a sleeping worker learns that there is something to do.
public enum Wake: String, Sendable, CaseIterable {
    /// Writers ring the doorbell (NOTIFY) while the worker sleeps.
    case notify
    /// The worker reads on a timer: for PgBouncer in transaction mode and for PREPARE TRANSACTION.
    case poll
}

/// What `install` needs to know besides the rules.
public struct CaptureSettings: Sendable {
    /// How the worker is woken.
    public var wake: Wake
    /// How long records are kept for replay once every target has passed them.
    public var replayWindow: Duration
    /// A statement that changes more distinct rows than this is recorded as 'any row of this table'.
    public var rowLimit: Int
    /// Whether what logical replication writes is recorded too, row by row.
    public var always: Bool
    /// Where somebody else's triggers tell of changes: the tables of these channels get no triggers of ours.
    public var listen: [ListenChannel]

    /// Rows in one outbox record, at most: enough to make a record's own cost vanish, little enough to page by.
    static let chunk = 256
    /// Time slots of the outbox. One is written to, one was just left or comes next, three cover the window.
    static let slots = 5

    /// Settings with DESIGN's defaults.
    public init(
        wake: Wake = .notify, replayWindow: Duration = .seconds(900), rowLimit: Int = 50_000,
        always: Bool = false, listen: [ListenChannel] = []
    ) {
        self.wake = wake
        self.replayWindow = replayWindow
        self.rowLimit = rowLimit
        self.always = always
        self.listen = listen
    }

    /// How long one slot is written to.
    var slotSeconds: Int64 { max(1, replayWindow.components.seconds / Int64(Self.slots - 2)) }
}
