/// A value of a rules file and where it stands.
public struct Located<Value: Sendable>: Sendable {
    /// The value.
    public let value: Value
    /// Where it begins.
    public let location: FilePosition

    init(_ value: Value, _ location: FilePosition) {
        self.value = value
        self.location = location
    }
}
