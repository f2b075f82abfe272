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

    /// What the names of our own keys begin with.
    static let ownPrefix = Array("unstale:".utf8)

    /// The patterns of a pass, which of them are fenced, and who else looks for keys in it.
    init(_ patterns: [Pattern], fenced: Set<Pattern>, visits: [(patterns: [Pattern], visit: SweepVisit)] = []) {
        self.visits = visits.map { (SweepFilter($0.patterns, fenced: []), $0.visit) }
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
    var fencePattern: Pattern? { fenced.map { Pattern(bytes: Fence.prefix + $0.scanPattern.bytes) } }

    /// The keys on a page that some pattern matches.
    func keys(on page: ScanPage) -> [Key] {
        page.keys.lazy.map { Key(bytes: $0) }.filter { key in
            patterns.matches(key) && (!Self.isKept(key) || ownKeys.matches(key))
        }
    }

    /// Whether a key of ours would be missed: a fence, or what was taken away from a tag and is not deleted yet.
    private static func isKept(_ key: Key) -> Bool {
        key.bytes.starts(with: ownPrefix)
            && [Fence.prefix, TagScript.takenPrefix, TagScript.tokenPrefix].contains { key.bytes.starts(with: $0) }
    }

    /// Shows the keys on a page to all others who look for them.
    func visit(_ page: ScanPage) async throws(CancellationError) {
        for (filter, visit) in visits {
            let keys = filter.keys(on: page)
            if !keys.isEmpty { try await visit(keys) }
        }
    }

    /// The keys that some fenced pattern matches and that have their fence on a page.
    func keysOfFences(on page: ScanPage) -> [Key] {
        guard let fenced else { return [] }
        return page.keys.compactMap(Fence.key(behind:)).filter { fenced.matches($0) }
    }
}
