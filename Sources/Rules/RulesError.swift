/// The rules can't be used: every mistake in them, in the order of the files.
public struct RulesError: Error, CustomStringConvertible {
    /// The mistakes; never empty.
    public var diagnostics: [RulesDiagnostic]

    /// The error that carries these mistakes.
    public init(diagnostics: [RulesDiagnostic]) { self.diagnostics = diagnostics }

    /// One line a mistake.
    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
