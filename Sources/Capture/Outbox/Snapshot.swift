/// A `pg_snapshot`: which transactions are visible. Those below `xmin` are, those from `xmax` on are not, and in
/// between those that `inProgress` (the manual's `xip_list`) does not name.
public struct Snapshot: Equatable, Sendable, CustomStringConvertible {
    let xmin: UInt64
    let xmax: UInt64
    /// Ascending.
    let inProgress: [UInt64]

    /// Nothing is visible in it but the transactions before the first normal one.
    public static let empty = Snapshot(xmax: 3, inProgress: [])

    init(xmax: UInt64, inProgress: [UInt64]) {
        xmin = inProgress.first ?? xmax
        self.xmax = xmax
        self.inProgress = inProgress
    }

    /// Reads Postgres' text form, `xmin:xmax:xip_list`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let xmin = UInt64(parts[0]), let xmax = UInt64(parts[1]) else { return nil }
        let inProgress = parts[2].split(separator: ",").compactMap { UInt64($0) }
        self.init(xmin: xmin, xmax: xmax, inProgress: inProgress)
    }

    private init(xmin: UInt64, xmax: UInt64, inProgress: [UInt64]) {
        self.xmin = xmin
        self.xmax = xmax
        self.inProgress = inProgress
    }

    /// Postgres' text form.
    public var description: String {
        "\(xmin):\(xmax):" + inProgress.map(String.init).joined(separator: ",")
    }

    /// Whether fewer transactions had begun by then.
    public func isBehind(_ other: Snapshot) -> Bool { xmax < other.xmax }

    /// Whether a transaction's changes are visible, if it committed.
    public func contains(_ xid: UInt64) -> Bool {
        xid < xmax && (xid < xmin || !inProgress.contains(xid))
    }

    /// This snapshot and all that `later` sees of the transactions below `xid`: how far a reader has come that
    /// reads the difference between the two in the order of xids and stands at `xid`, which is not in it.
    ///
    /// `later` was taken after this snapshot, so it sees whatever this one does.
    func advanced(to xid: UInt64, within later: Snapshot) -> Snapshot {
        guard xid >= xmax else {
            // Still among those that were in progress.
            return Snapshot(xmax: xmax, inProgress: inProgress.filter { $0 >= xid || !later.contains($0) })
        }
        return Snapshot(xmax: xid, inProgress: later.inProgress.filter { $0 < xid })
    }
}
