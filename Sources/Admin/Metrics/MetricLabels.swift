/// The labels of a series, as the text format has them.
struct MetricLabels: Hashable, Sendable {
    /// What stands between the braces: `a="1",b="2"`, in the order of the names.
    let inner: String

    /// Labels from dimensions. What Prometheus could not read is mended, for it would refuse all there is: characters
    /// that no name may have, and all but the first of one name.
    init(_ dimensions: [(String, String)]) {
        var pairs: [(name: String, value: String)] = []
        for (name, value) in dimensions {
            let name = Self.name(name)
            if !pairs.contains(where: { $0.name == name }) { pairs.append((name, value)) }
        }
        pairs.sort { $0.name < $1.name }
        inner = pairs.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    }

    /// In braces, if there are any.
    var text: String { inner.isEmpty ? "" : "{\(inner)}" }

    /// With the upper bound of a histogram's bucket.
    func text(upTo bound: String) -> String {
        inner.isEmpty ? "{le=\"\(bound)\"}" : "{\(inner),le=\"\(bound)\"}"
    }

    /// `le` is a histogram's own, and what begins with two underscores is Prometheus'.
    private static func name(_ text: String) -> String {
        let name = MetricLabels.identifier(text, allowing: "_")
        return name == "le" || name.hasPrefix("__") ? "label_" + name : name
    }

    /// The text as a name: ASCII letters, digits and these characters, and no digit first.
    static func identifier(_ text: String, allowing others: String) -> String {
        var name = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let character = Character(scalar)
                    let isFine =
                        scalar.isASCII && (character.isLetter || character.isNumber || others.contains(character))
                    return isFine ? scalar : "_"
                }))
        if name.first.map(\.isNumber) ?? true { name = "_" + name }
        return name
    }

    private static func escaped(_ value: String) -> String {
        value.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
