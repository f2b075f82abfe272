import Synchronization

/// What came of the changes at one target, rule by rule: for the metrics, and for people.
public final class DeliveryTally: Sendable {
    /// The target's name.
    public let target: String
    private let rules = Mutex<[String: RuleTally]>([:])

    /// A tally of a target, with nothing in it.
    public init(target: String) { self.target = target }

    /// The tally of a rule. It goes on when the rules are read anew, for as long as there is one of that name.
    public func rule(_ name: String) -> RuleTally {
        rules.withLock { rules in
            if let tally = rules[name] { return tally }
            let tally = RuleTally(rule: name, target: target)
            rules[name] = tally
            return tally
        }
    }
}
