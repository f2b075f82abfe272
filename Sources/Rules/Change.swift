/// One row inserted, updated or deleted by a committed transaction, or word that any row of a table may have
/// changed.
public struct Change: Sendable {
    /// What happened to the row.
    public enum Kind: Sendable, Equatable {
        case insert, update, delete
        /// TRUNCATE, a capture that failed, or more rows in one statement than are recorded one by one.
        case anyRow
    }

    /// The outbox' number of the capture that recorded the change.
    public var capture: Int32
    /// What happened.
    public var kind: Kind
    /// Which of the manifest's conditions the row fulfils: bit i stands for `Manifest.conditions[i]`.
    public var fired: UInt64
    /// The row before the change: nil for an insert and for any row.
    public var old: Image?
    /// The row after the change: nil for a delete and for any row.
    public var new: Image?

    /// A change as the outbox tells it.
    public init(capture: Int32, kind: Kind, fired: UInt64, old: Image? = nil, new: Image? = nil) {
        self.capture = capture
        self.kind = kind
        self.fired = fired
        self.old = old
        self.new = new
    }
}
