/// Something that the tests themselves need did not work.
public struct TestError: Error, CustomStringConvertible {
    /// What, in one line.
    public let description: String

    /// An error with this description.
    public init(_ description: String) { self.description = description }
}
