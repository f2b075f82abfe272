import Capture

/// Whether the outbox has all that a target needs, and what is done where it hasn't. A value.
struct ResyncState: Equatable, Sendable {
    enum Phase: Equatable, Sendable {
        /// It has.
        case none
        /// Records that the target needs may be gone, and nobody was told to mend that.
        case needed
        /// All rows are to count as changed.
        case ordered
    }

    private(set) var phase = Phase.none
    /// How often the outbox was found to lack something.
    private(set) var declarations = 0
    /// How far the target had been served when the window was last replayed.
    private var reached: Snapshot?
    /// Whether nobody has to order it.
    private let isAutomatic: Bool

    init(isAutomatic: Bool) { self.isAutomatic = isAutomatic }

    /// Whether there is nothing to be read for the target until all its rows count as changed.
    var isPending: Bool { phase != .none }

    /// Whether that may begin, as far as people are concerned.
    var isDue: Bool { phase == .ordered || phase == .needed && isAutomatic }

    /// A replay of the window begins. What is read again for it was served before, so where it is gone from the outbox
    /// nothing is amiss.
    mutating func replays(from cursor: Snapshot) {
        if reached?.isBehind(cursor) ?? true { reached = cursor }
    }

    /// What the target needs begins here, when its cursor is there.
    func need(at cursor: Snapshot) -> Snapshot {
        guard let reached, cursor.isBehind(reached) else { return cursor }
        return reached
    }

    /// The outbox no longer keeps what the target needs.
    mutating func declare() {
        declarations += 1
        if phase != .ordered { phase = .needed }
    }

    /// What is stored, when a session begins: it may be another process that stored it.
    mutating func restore(_ stored: String?) {
        switch stored {
        case nil: break
        case "needed": phase = .needed
        default: phase = .ordered
        }
    }

    /// What was stored after so many declarations: others may have ordered it, or forgotten the target.
    mutating func refresh(with stored: String?, after declarations: Int) {
        guard phase == .needed, stored != "needed", declarations == self.declarations else { return }
        phase = stored == nil ? .none : .ordered
    }

    /// All rows are about to count as changed. What is declared from now on is reason for another time.
    mutating func begin() { phase = .none }
}
