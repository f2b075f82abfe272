import Rules

/// What a pass looks for. A value without I/O.
struct SweepFilter {
    private let patterns: PatternSet
    private let fenced: PatternSet?
    /// Whoever writes `unstale:` into a pattern means our own keys. Others, `u*` for example, don't mean fences.
    private let ownKeys: PatternSet
    private let companions: CompanionName

    /// The patterns of a pass, and which of them are fenced.
    init(_ patterns: [Pattern], fenced: Set<Pattern>, companions: CompanionName) {
        self.companions = companions
        self.patterns = PatternSet(patterns)
        self.fenced = fenced.isEmpty ? nil : PatternSet(Array(fenced))
        ownKeys = PatternSet(patterns.filter { $0.literalPrefix.starts(with: "unstale:".utf8) })
    }

    /// The narrowest `SCAN MATCH` that misses no key of any pattern.
    var keyPattern: Pattern { patterns.scanPattern }

    /// The narrowest `SCAN MATCH` that misses no fence of a key of a fenced pattern; nil: no pattern is fenced.
    var fencePattern: Pattern? {
        fenced.map { fenced in
            // In a Cluster there may be a brace before the key.
            Pattern(bytes: Fence.prefix + (companions.sharesSlot ? Array("*".utf8) : fenced.scanPattern.bytes))
        }
    }

    /// Those of some keys that a pattern matches.
    func keys(of keys: [[UInt8]]) -> [Key] {
        keys.lazy.map { Key(bytes: $0) }.filter { key in
            patterns.matches(key) && (!Fence.isFence(key.bytes) || ownKeys.matches(key))
        }
    }

    /// The keys that some fenced pattern matches and that have their fence among these keys.
    func keysOfFences(of keys: [[UInt8]]) -> [Key] {
        guard let fenced else { return [] }
        return keys.flatMap { companions.keys(behind: $0, Fence.prefix) }.filter { fenced.matches($0) }
    }
}
