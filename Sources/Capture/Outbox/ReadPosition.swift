/// Where the reader of the outbox stands.
public struct ReadPosition: Equatable, Sendable {
    /// All that is visible here has been read. This is what a cursor stores.
    public let snapshot: Snapshot
    /// A transaction whose records up to this id have been read besides, where a page ended within it.
    let partial: Partial?

    struct Partial: Equatable, Sendable {
        let xid: UInt64
        let id: Int64
    }

    /// The position behind everything that `snapshot` sees.
    public init(_ snapshot: Snapshot) {
        self.init(snapshot: snapshot, partial: nil)
    }

    private init(snapshot: Snapshot, partial: Partial?) {
        self.snapshot = snapshot
        self.partial = partial
    }

    /// The position behind a page that was read here and is not the last: `last` is its last record.
    func behind(_ last: (xid: UInt64, id: Int64), within current: Snapshot) -> ReadPosition {
        ReadPosition(
            snapshot: snapshot.advanced(to: last.xid, within: current),
            partial: Partial(xid: last.xid, id: last.id))
    }
}
