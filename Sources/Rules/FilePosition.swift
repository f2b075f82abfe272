/// A place in a rules file.
public struct FilePosition: Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named to `RuleSet.load`.
    public var file: String
    /// The line, from 1.
    public var line: Int
    /// The column, from 1, in Unicode scalars.
    public var column: Int

    /// The place `file:line:column`.
    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// `file:line:column`, which editors and terminals make a link of.
    public var description: String { "\(file):\(line):\(column)" }
}
