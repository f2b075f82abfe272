public import Rules

/// What one read of the outbox returned.
public struct Batch: Sendable {
    /// The changes, in the order of transaction ids.
    public var changes: [Change]
    /// How many records they came in.
    public var records: Int
    /// Where the next read begins.
    public var next: ReadPosition
    /// What the read saw.
    public var snapshot: Snapshot
    /// How many transactions had an id by then from the snapshot's `xmax` on, and so are under way.
    public var begun: Int
    /// Whether there was more than fits into one batch.
    public var isFull: Bool
    /// When its first record was written, by the server's clock, in microseconds since 2000-01-01 UTC.
    public var oldest: Int64?
    /// When its last record was written.
    public var newest: Int64?
    /// Captures that failed, with the server's words.
    public var failures: [CaptureFailure]
}

/// A capture could not say which rows changed.
public struct CaptureFailure: Sendable, Hashable {
    /// The capture's number.
    public var capture: Int32
    /// Why.
    public var reason: String
}
