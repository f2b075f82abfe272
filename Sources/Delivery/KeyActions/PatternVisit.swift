import Redis
import Rules

/// What is to be done with the keys that a pass over all keys finds. A value without I/O.
struct PatternVisit: Sendable {
    /// What the pass looks for.
    let patterns: [Pattern]
    private let actions: [(action: PlannedPatternAction, glob: Glob)]
    private let companions: CompanionName

    init(_ actions: [PlannedPatternAction], companions: CompanionName) {
        self.actions = actions.map { ($0, Glob($0.pattern)) }
        self.companions = companions
        // Of a tag there may be nothing left but the set that somebody took and did not empty.
        let taken = actions.filter { $0.action == .emptyTag }.flatMap { action in
            let names = [TagScript.takenPrefix + action.pattern.bytes]
            guard companions.sharesSlot else { return names }
            let braced = [UInt8(ascii: "{")] + action.pattern.bytes + [UInt8(ascii: "}")]
            return names + [TagScript.takenPrefix + braced]
        }
        patterns = actions.map(\.pattern) + taken.map { Pattern(bytes: $0) }
    }

    /// What is to be done with these keys.
    func actions(on keys: [Key]) -> [PlannedAction] {
        keys.flatMap { key in
            let isTaken = key.bytes.starts(with: TagScript.takenPrefix)
            let isOwn = key.bytes.starts(with: SweepFilter.ownPrefix)
            let tags = isTaken ? companions.keys(behind: key.bytes, TagScript.takenPrefix) : [key]
            return actions.flatMap { planned, glob -> [PlannedAction] in
                guard planned.action == .emptyTag && isTaken || !isOwn else { return [] }
                return tags.filter { glob.matches($0) }.map {
                    PlannedAction(planned.action, $0, rule: planned.rule, isFenced: planned.isFenced)
                }
            }
        }
    }
}

extension Failure {
    /// Whether a key that a pattern matched is none that the action is about.
    func tellsOfAnotherKind(than action: KeyAction) -> Bool {
        switch action {
        case .emptyTag: reason.hasPrefix("WRONGTYPE")
        case .bump: reason.hasPrefix("WRONGTYPE") || reason.hasPrefix("ERR value is not an integer")
        case .expire: false
        }
    }
}
