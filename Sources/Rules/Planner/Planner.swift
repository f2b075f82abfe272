/// Turns changes into what they ask of Redis. Pure: no I/O, no clock, the same plan for the same changes.
public struct Planner: Sendable {
    /// The rules that `rule` numbers in plans are indexes of.
    public let rules: [Rule]
    /// The names of rules whose table has no capture, or whose newest capture (the one with the highest
    /// number) doesn't know them. Changes that only they care about are not recorded; of those that are, they
    /// are told more than they asked for.
    public let uncaptured: [String]
    /// Whether newer changes may have been served than those that are planned. An older one may have its loader read
    /// something else than what is stored by now, so where the key doesn't say what that is, the entry is deleted.
    public var isLate = false
    private let programs: [Int32: CaptureProgram]
    private let fenced: FencedKeys

    /// Compiles the rules for the captures whose manifests are given by number.
    public init(rules: [Rule], manifests: [Int32: Manifest]) {
        let fenced = FencedKeys(rules)
        self.rules = rules
        self.fenced = fenced
        programs = manifests.mapValues { CaptureProgram($0, rules: rules, fenced: fenced) }
        var newest: [TableName: Manifest] = [:]
        for (_, manifest) in manifests.sorted(by: { $0.key < $1.key }) { newest[manifest.table] = manifest }
        uncaptured = rules.filter { rule in
            newest[rule.table.value].map { !rule.isCaptured(by: $0) } ?? true
        }.map(\.name.value)
    }

    /// Whether changes of this capture can be planned.
    public func knows(capture: Int32) -> Bool { programs[capture] != nil }

    /// What the changes ask for. Changes of a capture that the planner doesn't know are left out, and the plan
    /// says so.
    ///
    /// - Parameter only: The only rule that counts, an index of `rules`; nil: all.
    public func plan(_ changes: [Change], only: Int? = nil) -> Plan {
        var plan = Plan(changes: changes.count, isLate: isLate)
        for change in changes {
            if let program = programs[change.capture] {
                program.apply(to: change, only: only, plan: &plan)
            } else {
                plan.unknownCaptures.insert(change.capture)
            }
        }
        return plan
    }

    /// The templates that the result of a rule's lookup fills. Compile once for the rows of a query.
    ///
    /// - Throws: if a template uses a column that the result doesn't have.
    public func fills(ofRule rule: Int, columns: [String]) throws(MissingLookupColumn) -> LookupFills {
        try LookupFills(rules[rule], index: rule, columns: columns, fenced: fenced)
    }

    /// A plan for a change of which all that is known is that it concerned a rule.
    public func plan(anyRowOfRule rule: Int) -> Plan {
        var plan = Plan()
        AnyRow(rules[rule], index: rule, fenced: fenced).apply(to: &plan)
        return plan
    }

    /// A plan to delete one key on a rule's behalf.
    public func plan(deleting key: Key, rule: Int) -> Plan {
        var plan = Plan()
        let isFenced = fenced.contain(key, of: rules[rule])
        plan.insert(key, for: .delete, rule: rule, isFenced: isFenced, delays: [], telling: Telling(rules[rule]))
        return plan
    }

    /// A plan to do something else with one key on a rule's behalf.
    public func plan(_ action: KeyAction, _ key: Key, rule: Int) -> Plan {
        var plan = Plan()
        let isFenced =
            action == .emptyTag ? fenced.includeTagged : action != .bump && fenced.contain(key, of: rules[rule])
        plan.insert(
            key, for: .action(action), rule: rule, isFenced: isFenced, delays: [], telling: Telling(rules[rule]))
        return plan
    }

    /// A plan to tell a rule's listeners something: nothing, where it has no channel any more.
    public func plan(publishing message: [UInt8], rule: Int) -> Plan {
        var plan = Plan()
        if rules[rule].publish != nil { plan.tell(rule) { $0.insert(.message(message)) } }
        return plan
    }

    /// A plan to load an entry after all. A newer change may have had its loader read something else meanwhile, so where
    /// the key doesn't say what that is, the entry is deleted once more.
    public func plan(retrying call: RewarmCall) -> Plan {
        guard call.isKeyed else { return self.plan(deleting: call.key, rule: call.rule) }
        var plan = Plan()
        plan.insert(.load(call), rule: call.rule, delays: [], telling: Telling(rules[call.rule]))
        return plan
    }

    /// Whether some rule re-warms what may have this key, so that there are readers which mind its fence.
    public func mayRewarm(_ key: Key) -> Bool { fenced.contain(key, of: nil) }

    /// What the rows that a lookup returned ask for.
    public func plan(
        _ call: LookupCall, columns: [String], rows: some Sequence<[[UInt8]?]>
    ) throws(MissingLookupColumn) -> Plan {
        let fills = try fills(ofRule: call.rule, columns: columns)
        var plan = Plan(isLate: isLate)
        for row in rows { fills.add(row, of: call, to: &plan) }
        return plan
    }
}
