/// The secret that lets a request do more than look on.
public struct AdminToken: Sendable {
    private let bytes: [UInt8]

    /// A token that can stand in a header; nil: this text can't.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        bytes = Array(text.utf8)
    }

    /// Whether a request's `Authorization` has it. How long the answer takes depends on what was sent, and not on how
    /// much of it is right.
    func isIn(_ authorization: String?) -> Bool {
        guard let authorization, let space = authorization.firstIndex(of: " "),
            authorization[..<space].lowercased() == "bearer"
        else { return false }
        return equals(authorization[authorization.index(after: space)...].utf8)
    }

    private func equals(_ other: Substring.UTF8View) -> Bool {
        var difference = bytes.count ^ other.count
        for (index, byte) in other.enumerated() { difference |= Int(byte ^ bytes[index % bytes.count]) }
        return difference == 0
    }
}
