/// Which of a target's keys the worker keeps in memory.
public struct KeyIndexOptions: Hashable, Sendable {
    /// What the keys begin with, as text without wildcards; none is another's beginning.
    public var prefixes: [String]
    /// The most that they may take, in bytes; beyond it patterns are scanned for as without an index.
    public var memoryLimit: Int

    /// Options.
    public init(prefixes: [String], memoryLimit: Int = 256 << 20) {
        self.prefixes = prefixes
        self.memoryLimit = memoryLimit
    }
}
