public import Rules

/// What one read of the outbox returned.
public struct Batch: Sendable {
    /// The changes, in the order of transaction ids.
    public var changes: [Change]
    /// Changes that are served once more, by the scope in which they are.
    public var replayed: [Replay.Scope: [Change]] = [:]
    /// How many changes there are.
    public var changeCount: Int { replayed.values.reduce(changes.count) { $0 + $1.count } }
    /// How many records they came in.
    public var records: Int
    /// When each of the records was written.
    public var writtenAt: [ServerTime]
    /// Where the next read begins.
    public var next: ReadPosition
    /// What the read saw.
    public var snapshot: Snapshot
    /// How many transactions had an id by then from the snapshot's `xmax` on, and so are under way.
    public var begun: Int
    /// Whether there was more than fits into one batch.
    public var isFull: Bool
    /// What it tells about the writers.
    public var look: Look { Look(records: records, snapshot: snapshot, begun: begun, isFull: isFull) }
    /// Captures that failed, with the server's words.
    public var failures: [CaptureFailure]
}

/// What there is to be read, without reading it.
public struct Look: Sendable {
    /// How many records.
    public var records: Int
    /// What was seen.
    public var snapshot: Snapshot
    /// How many transactions had an id by then from the snapshot's `xmax` on, and so are under way.
    public var begun: Int
    /// Whether there were more records than were counted.
    public var isFull: Bool
}

/// A capture could not say which rows changed.
public struct CaptureFailure: Sendable, Hashable {
    /// The capture's number.
    public var capture: Int32
    /// Why.
    public var reason: String
}
