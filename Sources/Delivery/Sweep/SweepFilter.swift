import Redis
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

    /// What the keys of the patterns begin with.
    var keyPrefixes: [[UInt8]] { patterns.patterns.map(\.literalPrefix) }

    /// What the fences of keys of fenced patterns begin with.
    var fencePrefixes: [[UInt8]] { IndexPrefixes.fences(of: fenced?.patterns.map(\.literalPrefix) ?? []) }

    /// Those of some keys that a pattern matches.
    func keys(of keys: RedisStrings) -> [Key] {
        let span = keys.bytes.span
        return keys.indices.compactMap { index in
            guard patterns.matches(span.extracting(keys.range(at: index))) else { return nil }
            let key = Key(bytes: Array(keys[index]))
            return !Fence.isFence(key.bytes) || ownKeys.matches(key) ? key : nil
        }
    }

    /// The keys that some fenced pattern matches and that have their fence among these keys.
    func keysOfFences(of keys: RedisStrings) -> [Key] {
        guard let fenced else { return [] }
        return keys.flatMap { companions.keys(behind: Array($0), Fence.prefix) }.filter { fenced.matches($0) }
    }
}
