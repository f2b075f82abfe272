import Rules

/// What a pass looks for. A value without I/O.
struct SweepFilter {
    private let patterns: PatternSet
    private let fenced: PatternSet?
    /// Whoever writes `unstale:` into a pattern means our own keys. Others, `u*` for example, don't mean fences.
    private let ownKeys: PatternSet

    /// The patterns of a pass, and which of them are fenced.
    init(_ patterns: [Pattern], fenced: Set<Pattern>) {
        self.patterns = PatternSet(patterns)
        self.fenced = fenced.isEmpty ? nil : PatternSet(Array(fenced))
        ownKeys = PatternSet(patterns.filter { $0.literalPrefix.starts(with: "unstale:".utf8) })
    }

    /// What the keys of the patterns begin with.
    var keyPrefixes: [[UInt8]] { patterns.patterns.map(\.literalPrefix) }

    /// What the fences of keys of fenced patterns begin with.
    var fencePrefixes: [[UInt8]] { IndexPrefixes.fences(of: fenced?.patterns.map(\.literalPrefix) ?? []) }

    /// The narrowest `SCAN MATCH` that misses no key of any pattern.
    var keyPattern: Pattern { patterns.scanPattern }

    /// The narrowest `SCAN MATCH` that misses no fence of a key of a fenced pattern; nil: no pattern is fenced.
    var fencePattern: Pattern? { fenced.map { Pattern(bytes: Fence.prefix + $0.scanPattern.bytes) } }

    /// The keys on a page that some pattern matches.
    func keys(on page: ScanPage) -> [Key] {
        let span = page.keys.bytes.span
        return page.keys.indices.compactMap { index in
            guard patterns.matches(span.extracting(page.keys.range(at: index))) else { return nil }
            let key = Key(bytes: Array(page.keys[index]))
            return Fence.key(behind: key.bytes) == nil || ownKeys.matches(key) ? key : nil
        }
    }

    /// The keys that some fenced pattern matches and that have their fence on a page.
    func keysOfFences(on page: ScanPage) -> [Key] {
        guard let fenced else { return [] }
        return page.keys.compactMap { Fence.key(behind: Array($0)) }.filter { fenced.matches($0) }
    }
}
