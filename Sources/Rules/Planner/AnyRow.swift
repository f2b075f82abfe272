/// What a rule deletes when any row of its table may have changed.
struct AnyRow: Sendable {
    private let rule: Int
    private let patterns: [Pattern]
    private let keys: [Key]
    private let delays: [Duration]

    init(_ rule: Rule, index: Int) {
        let all = DeletionTemplate.all(of: rule).map(\.anyRow)
        self.rule = index
        keys = all.compactMap(\.exactKey)
        patterns = all.filter { !$0.isExact }
        delays = rule.repeatAfter
    }

    func apply(to plan: inout Plan) {
        for key in keys { plan.insert(PlannedKey(key: key, rule: rule), repeatAfter: delays) }
        for pattern in patterns {
            plan.insert(PlannedPattern(pattern: pattern, rule: rule), repeatAfter: delays)
        }
    }
}
