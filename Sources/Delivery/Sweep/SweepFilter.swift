import Redis
import Rules

/// Does something with keys that a pass has found. A pass that is broken off finds them again.
typealias SweepVisit = @Sendable ([Key]) async throws(CancellationError) -> Void

/// What a pass looks for. A value without I/O.
struct SweepFilter {
    private let patterns: PatternSet
    private let fenced: PatternSet?
    /// Whoever writes `unstale:` into a pattern means our own keys. Others, `u*` for example, don't mean fences.
    private let ownKeys: PatternSet
    /// Who else looks for keys in the pass.
    private let visits: [(filter: SweepFilter, visit: SweepVisit)]
    private let companions: CompanionName

    /// What the names of our own keys begin with.
    static let ownPrefix = Array("unstale:".utf8)

    /// The patterns of a pass, which of them are fenced, and who else looks for keys in it.
    init(
        _ patterns: [Pattern], fenced: Set<Pattern>, visits: [(patterns: [Pattern], visit: SweepVisit)] = [],
        companions: CompanionName
    ) {
        self.visits = visits.map { (SweepFilter($0.patterns, fenced: [], companions: companions), $0.visit) }
        self.companions = companions
        self.patterns = PatternSet(patterns)
        self.fenced = fenced.isEmpty ? nil : PatternSet(Array(fenced))
        ownKeys = PatternSet(patterns.filter { $0.literalPrefix.starts(with: Self.ownPrefix) })
    }

    /// The narrowest `SCAN MATCH` that misses no key of any pattern.
    var keyPattern: Pattern {
        visits.isEmpty
            ? patterns.scanPattern
            : PatternSet(patterns.patterns + visits.flatMap(\.filter.patterns.patterns)).scanPattern
    }

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
            return !Self.isKept(key) || ownKeys.matches(key) ? key : nil
        }
    }

    /// Whether a key of ours would be missed: a fence, or what was taken away from a tag and is not deleted yet.
    private static func isKept(_ key: Key) -> Bool {
        key.bytes.starts(with: ownPrefix)
            && [Fence.prefix, TagScript.takenPrefix, TagScript.tokenPrefix].contains { key.bytes.starts(with: $0) }
    }

    /// Shows those of some keys to all others who look for them.
    func visit(_ keys: RedisStrings) async throws(CancellationError) {
        for (filter, visit) in visits {
            let found = filter.keys(of: keys)
            if !found.isEmpty { try await visit(found) }
        }
    }

    /// The keys that some fenced pattern matches and that have their fence among these keys.
    func keysOfFences(of keys: RedisStrings) -> [Key] {
        guard let fenced else { return [] }
        return keys.flatMap { companions.keys(behind: Array($0), Fence.prefix) }.filter { fenced.matches($0) }
    }
}
