/// What one file contains.
struct RulesFile: Sendable {
    var rules: [Rule] = []
    var tests: [RuleTest] = []
}
