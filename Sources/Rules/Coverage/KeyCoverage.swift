/// Which keys no rule can touch, and which of the rules' templates touch none. A value, fed with keys.
public struct KeyCoverage: Sendable {
    /// A key or pattern that a rule does something with.
    public struct Part: Sendable {
        /// The rule.
        public let rule: Rule
        /// Its template.
        public let template: Template
        fileprivate let pattern: Pattern
    }

    /// Distinct keys, without our own.
    public private(set) var count = 0
    /// How many of them some rule can touch.
    public private(set) var touched = 0
    /// Our own keys: fences and locks.
    public private(set) var own = 0
    /// The templates that match none of the keys.
    public private(set) var unmatched: [Part]
    private let all: PatternSet
    private var waiting: PatternSet
    private var untouched = KeyFamilies()
    private var seen: Set<Int> = []
    private let memory: Int

    /// - Parameter memory: Of so many keys it is remembered that they came: SCAN may return a key twice.
    public init(_ rules: [Rule], memory: Int = 1 << 23) {
        let parts = rules.flatMap { rule in
            KeyTemplate.all(of: rule).map { Part(rule: rule, template: $0.template, pattern: $0.anyRow) }
        }
        unmatched = parts
        all = PatternSet(Array(Set(parts.map(\.pattern))))
        waiting = all
        self.memory = memory
    }

    /// The families of the keys that no rule can touch, the largest first.
    public var families: [KeyFamily] { untouched.families }

    /// Whether every key counts once; otherwise those that SCAN returned twice may count twice.
    public var isExact: Bool { seen.count < memory }

    /// Takes note of a key.
    public mutating func add(_ key: [UInt8]) {
        guard isNew(key) else { return }
        guard !key.starts(with: Self.ownPrefix) else { return own += 1 }
        count += 1
        guard all.matches(key.span) else { return untouched.add(key) }
        touched += 1
        while let index = waiting.firstMatch(key.span) { found(waiting.patterns[index]) }
    }

    /// There are few patterns, and each is found once.
    private mutating func found(_ pattern: Pattern) {
        unmatched.removeAll { $0.pattern == pattern }
        waiting = PatternSet(waiting.patterns.filter { $0 != pattern })
    }

    /// By a hash of 64 bits: of ten million keys two have the same one in a run of some hundred thousand.
    private mutating func isNew(_ key: [UInt8]) -> Bool {
        let hash = key.hashValue
        return isExact ? seen.insert(hash).inserted : !seen.contains(hash)
    }

    private static let ownPrefix = Array("unstale:".utf8)
}
