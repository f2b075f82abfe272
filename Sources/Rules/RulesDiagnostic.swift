/// One mistake in a rules file.
public struct RulesDiagnostic: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where the mistake is.
    public var location: FilePosition
    /// What is wrong.
    public var message: String
    /// The known word that was probably meant.
    public var suggestion: String?

    /// A mistake at a place.
    public init(_ location: FilePosition, _ message: String, suggestion: String? = nil) {
        self.location = location
        self.message = message
        self.suggestion = suggestion
    }

    /// One line, whatever the rules file contains: `file:line:col: error: message; did you mean 'x'?`.
    public var description: String {
        let question = suggestion.map { "; did you mean '\($0)'?" } ?? ""
        return "\(location): error: \(message)\(question)".escaped
    }
}
