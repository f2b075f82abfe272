/// What a rule asks for when any row of its table may have changed: what it would load anew goes too.
struct AnyRow: Sendable {
    let rule: Int
    private let patterns: [(pattern: Pattern, isFenced: Bool)]
    private let keys: [(key: Key, isFenced: Bool)]
    private let delays: [Duration]

    init(_ rule: Rule, index: Int, fenced: FencedKeys) {
        let all = DeletionTemplate.all(of: rule).map { ($0.anyRow, isFenced: fenced.contain($0, of: rule)) }
        self.rule = index
        keys = all.compactMap { pattern, isFenced in pattern.exactKey.map { ($0, isFenced) } }
        patterns = all.filter { !$0.0.isExact }.map { ($0.0, $0.isFenced) }
        delays = rule.repeatAfter
    }

    func apply(to plan: inout Plan) {
        plan.count(rule)
        for (key, isFenced) in keys {
            plan.insert(PlannedKey(key: key, rule: rule), isFenced: isFenced, repeatAfter: delays)
        }
        for (pattern, isFenced) in patterns {
            plan.insert(
                PlannedPattern(pattern: pattern, rule: rule), isFenced: isFenced, repeatAfter: delays)
        }
    }
}
