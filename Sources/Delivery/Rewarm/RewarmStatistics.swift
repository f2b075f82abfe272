/// What became of the entries that were to be re-warmed, since the worker was started.
public struct RewarmStatistics: Hashable, Sendable, Codable {
    /// Loads that were begun.
    public var loads = 0
    /// New values that were stored.
    public var stored = 0
    /// Entries that the rule's `when` left out: those that were there are deleted.
    public var cold = 0
    /// Entries that were deleted, as the loader had no value for them, or only asked the application to fill them.
    public var absent = 0
    /// … as their value was larger than `max_bytes`.
    public var tooLarge = 0
    /// … as a newer change came while they were being loaded.
    public var superseded = 0
    /// … as the budget was used up, or Redis' memory.
    public var overBudget = 0
    /// … as they were not loaded by their deadline.
    public var late = 0
    /// … as their loader failed.
    public var failed = 0

    /// Nothing yet.
    public init() {}
}
