/// Whether the outbox has all that a target needs, and what is done where it hasn't. A value.
struct ResyncState: Equatable, Sendable {
    enum Phase: Equatable, Sendable {
        /// It has.
        case none
        /// Records that the target needs may be gone, and nobody was told to mend that.
        case needed
        /// All rows are to count as changed.
        case ordered
        /// They do, and their keys are being deleted: the pass' number.
        case running(Int)
        /// Their keys are gone, which is yet to be stored.
        case delivered
    }

    private(set) var phase = Phase.none
    /// Whether nobody has to order it.
    private let isAutomatic: Bool
    private var passes = 0

    init(isAutomatic: Bool) { self.isAutomatic = isAutomatic }

    /// Whether there is nothing to be read for the target until all its rows count as changed.
    var isPending: Bool { phase == .needed || phase == .ordered }

    /// Whether that may begin, as far as people are concerned.
    var isDue: Bool { phase == .ordered || phase == .needed && isAutomatic }

    /// The outbox no longer keeps what the target needs.
    mutating func declare() {
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

    /// What is stored while nobody was told to mend it: others may have ordered that, or done it.
    mutating func refresh(with stored: String?) {
        guard phase == .needed, stored != "needed" else { return }
        phase = stored == nil ? .none : .ordered
    }

    /// All rows count as changed from now on; gives the pass' number.
    mutating func begin() -> Int {
        passes += 1
        phase = .running(passes)
        return passes
    }

    /// A pass has come to its end, which counts unless there was reason for another since.
    mutating func delivered(_ pass: Int) {
        if phase == .running(pass) { phase = .delivered }
    }

    /// The target is another than the one that all this was delivered to, or has forgotten it.
    mutating func interrupt() {
        switch phase {
        case .running, .delivered: phase = .ordered
        case .none, .needed, .ordered: break
        }
    }

    /// It was to be stored that a pass has come to its end; this is what is stored now.
    mutating func finish(with stored: String?) {
        if phase == .delivered { phase = stored == nil ? .none : .needed }
    }
}
