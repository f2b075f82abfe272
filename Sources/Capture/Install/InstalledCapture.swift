public import Rules

/// A capture as the database has it.
public struct InstalledCapture: Sendable, Equatable {
    /// Its number in the outbox.
    public var id: Int32
    /// What it records.
    public var manifest: Manifest
    /// Whether a newer one has taken its place; records of it may still be there.
    public var isRetired: Bool
}
