/// Where in a payload something stands: `$.a.b` is the member `b` of the object that is the member `a`, and `$` the
/// payload itself.
public struct JSONPath: Sendable, Equatable, CustomStringConvertible {
    private let names: [String]

    /// Reads a path; nil: it is none.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.first == "$", !parts.dropFirst().contains("") else { return nil }
        names = Array(parts.dropFirst())
    }

    /// The member of this name.
    public init(name: String) { names = [name] }

    /// As it is written.
    public var description: String { (["$"] + names).joined(separator: ".") }

    /// What stands there; nil: nothing, or null.
    func value(in payload: JSONObject) -> JSONText? {
        guard let first = names.first else { return payload.text }
        var value = payload[first]
        for name in names.dropFirst() { value = value?.object?[name] }
        return value.flatMap { $0.isNull ? nil : $0 }
    }
}
