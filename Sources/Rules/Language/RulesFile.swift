/// What one file contains.
struct RulesFile: Sendable {
    var rules: [Rule] = []
    var tests: [RuleTest] = []
    /// Uses of what is understood and not executed.
    var unsupported: [RulesDiagnostic] = []
}
