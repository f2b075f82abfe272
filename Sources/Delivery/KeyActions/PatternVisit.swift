import Redis
import Rules

/// What is to be done with the keys that passes over all keys find. A value without I/O.
struct PatternVisit: Sendable {
    private struct Action {
        let planned: PlannedPatternAction
        let glob: Glob
        /// What the name begins with of a key of ours that is found where there may be nothing else: the set that somebody
        /// took from a tag and did not empty, or the fence of an entry that a reader is loading.
        let prefix: [UInt8]?
    }

    /// What the passes look for, one after the other. Fences come first, where there may be any, for the same reason as
    /// in ``Sweeper``: when the second pass begins, a reader that loaded before the change has stored, or never will.
    let passes: [[Pattern]]
    private let actions: [Action]
    private let companions: CompanionName

    /// - Parameter fencesAll: Whether entries are fenced though their rule doesn't ask for it.
    init(_ planned: [PlannedPatternAction], companions: CompanionName, fencesAll: Bool = false) {
        let actions = planned.map { planned in
            let prefix: [UInt8]? =
                switch planned.action {
                case .emptyTag: TagScript.takenPrefix
                case .expire: planned.isFenced || fencesAll ? Fence.prefix : nil
                case .bump: nil
                }
            return Action(planned: planned, glob: Glob(planned.pattern), prefix: prefix)
        }
        func ours(_ prefix: [UInt8]) -> [Pattern] {
            actions.filter { $0.prefix == prefix }.flatMap { action -> [[UInt8]] in
                let pattern = action.planned.pattern.bytes
                let braced = prefix + [UInt8(ascii: "{")] + pattern + [UInt8(ascii: "}")]
                return [prefix + pattern] + (companions.sharesSlot ? [braced] : [])
            }.map { Pattern(bytes: $0) }
        }
        passes = [ours(Fence.prefix), planned.map(\.pattern) + ours(TagScript.takenPrefix)].filter { !$0.isEmpty }
        self.actions = actions
        self.companions = companions
    }

    /// What is to be done with these keys.
    func actions(on keys: [Key]) -> [PlannedAction] {
        keys.flatMap { key in
            let isOurs = key.bytes.starts(with: SweepFilter.ownPrefix)
            return actions.flatMap { action -> [PlannedAction] in
                let meant = isOurs ? action.prefix.map { companions.keys(behind: key.bytes, $0) } ?? [] : [key]
                return meant.filter { action.glob.matches($0) }.map {
                    PlannedAction(
                        action.planned.action, $0, rule: action.planned.rule, isFenced: action.planned.isFenced)
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
