/// One execution of a rule's lookup: what to bind, and what its result needs to become keys.
public struct LookupCall: Hashable, Sendable {
    /// The rule: an index of `Planner.rules`.
    public let rule: Int
    /// The values of the lookup's `parameters`, in their order.
    public let parameters: [[UInt8]?]
    /// The columns of the old row that templates mix with the result's; nil if there are none or no such row.
    let old: [[UInt8]?]?
    /// The same of the new row.
    let new: [[UInt8]?]?
}
