/// A template that can make a certain key.
public struct KeyMatch: Sendable {
    /// The rule whose template it is.
    public let rule: Rule
    /// The template.
    public let template: Template
    /// What is done with the key besides deleting it or loading it anew; nil: one of these.
    public let action: KeyAction?
    /// The columns whose values the key tells beyond doubt, in the template's order: `{id}` is 42. What several
    /// values of neighbouring columns would explain is left out.
    public let bindings: [(placeholder: Placeholder, value: String)]
}

extension RuleSet {
    /// Which rules can do something with a key, and for rows with which values.
    public func rules(thatMayStale key: String) -> [KeyMatch] {
        let bytes = Array(key.utf8)
        return rules.flatMap { rule in
            KeyTemplate.all(of: rule).compactMap { template in
                KeyMatcher(template).bindings(for: bytes).map {
                    KeyMatch(
                        rule: rule, template: template.template, action: template.purpose.action, bindings: $0)
                }
            }
        }
    }
}
