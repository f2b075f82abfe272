/// How a test in a rules file went.
public struct TestOutcome: Sendable {
    /// The test's name.
    public let name: String
    /// Where it is.
    public let location: FilePosition
    /// What was expected and isn't planned: `key user:42`, `pattern user:*`, `publish news`.
    public let missing: [String]
    /// What is planned and wasn't expected, and each `where` that can't be false as the test has it.
    public let unexpected: [String]

    /// Whether the plan is exactly what was expected.
    public var passed: Bool { missing.isEmpty && unexpected.isEmpty }
}
