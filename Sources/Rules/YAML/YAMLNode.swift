/// A piece of a rules file: what is left of YAML once anchors, tags and strange keys are refused.
struct YAMLNode: Sendable {
    /// What the piece is.
    enum Content: Sendable {
        case scalar(YAMLScalar)
        case list([YAMLNode])
        case mapping([(key: YAMLScalar, value: YAMLNode)])
    }

    let content: Content
    let location: FilePosition

    /// What the piece is, for a message: "…, not \(kind)".
    var kind: String {
        switch content {
        case .scalar(let scalar): scalar.isNull ? "nothing" : "'\(scalar.text)'"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}
