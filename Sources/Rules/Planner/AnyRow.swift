/// What a rule asks for when any row of its table may have changed: what it would load anew goes too.
struct AnyRow: Sendable {
    let rule: Int
    private let parts: [(pattern: Pattern, purpose: Purpose, isFenced: Bool)]
    private let delays: [Duration]
    private let telling: Telling

    init(_ rule: Rule, index: Int, fenced: FencedKeys) {
        self.rule = index
        parts = KeyTemplate.all(of: rule).map { ($0.anyRow, $0.purpose, fenced.contain($0, of: rule)) }
        delays = rule.repeatAfter
        telling = Telling(rule)
    }

    func apply(to plan: inout Plan) {
        plan.count(rule)
        for (pattern, purpose, isFenced) in parts {
            if let key = pattern.exactKey {
                plan.insert(key, for: purpose, rule: rule, isFenced: isFenced, delays: delays)
            } else {
                plan.insert(pattern, for: purpose, rule: rule, isFenced: isFenced, delays: delays)
            }
        }
        guard telling != .nothing else { return }
        plan.tell(rule, repeatAfter: delays) { news in
            news.insertAnyRow()
            if case .messages(let text) = telling { return news.insert(.message(text)) }
            for (pattern, purpose, _) in parts where purpose.isAboutEntries {
                news.insert(pattern.exactKey.map { .key($0) } ?? .pattern(pattern))
            }
        }
    }
}
