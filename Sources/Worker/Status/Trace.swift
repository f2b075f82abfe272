import Capture
import FoundationEssentials
import Rules

/// A change that somebody may want to look at.
struct Trace: Sendable {
    let id: Int
    let at: ServerTime?
    let target: String
    let table: String
    let change: Change
    let planner: Planner
    let outcome: BatchOutcome

    /// The most texts that are shown for a rule.
    private static let textLimit = 20

    /// What people are shown.
    var event: ChangeEvent {
        let plan = planner.plan([change])
        var effects: [Int: ChangeEvent.Effect] = [:]
        func add(_ text: String, _ rule: Int, _ list: WritableKeyPath<ChangeEvent.Effect, [String]>) {
            var effect = effects[rule] ?? ChangeEvent.Effect(rule: planner.rules[rule].name.value)
            if effect.count < Self.textLimit {
                effect[keyPath: list].append(text)
            } else {
                effect.more += 1
            }
            effects[rule] = effect
        }
        for (rule, count) in plan.changes.enumerated() where count > 0 {
            effects[rule] = ChangeEvent.Effect(rule: planner.rules[rule].name.value)
        }
        for key in plan.keys { add(key.key.description, key.rule, \.keys) }
        for pattern in plan.patterns { add(pattern.pattern.description, pattern.rule, \.patterns) }
        for call in plan.rewarms { add(call.key.description, call.rule, \.rewarms) }
        for planned in plan.actions { add(planned.key.description, planned.rule, planned.action.list) }
        for planned in plan.patternActions { add(planned.pattern.description, planned.rule, planned.action.list) }
        for news in plan.news {
            let rule = planner.rules[news.rule]
            effects[news.rule, default: ChangeEvent.Effect(rule: rule.name.value)].channel =
                rule.publish?.channel.source
        }
        for call in plan.lookups {
            effects[call.rule, default: ChangeEvent.Effect(rule: planner.rules[call.rule].name.value)].lookups += 1
        }
        let outcome = outcome.current
        return ChangeEvent(
            id: id, at: Date(timeIntervalSince1970: at?.unixSeconds ?? 0), target: target, table: table,
            kind: "\(change.kind)", rules: effects.sorted { $0.key < $1.key }.map(\.value),
            state: outcome.state, failures: outcome.failures, lagMilliseconds: outcome.lag.map { $0 / .milliseconds(1) }
        )
    }
}

extension KeyAction {
    /// Where people find it.
    fileprivate var list: WritableKeyPath<ChangeEvent.Effect, [String]> {
        switch self {
        case .emptyTag: \.tags
        case .expire: \.expirations
        case .bump: \.counters
        }
    }
}

extension ChangeEvent.Effect {
    fileprivate var count: Int {
        keys.count + patterns.count + rewarms.count + tags.count + expirations.count + counters.count
    }
}
