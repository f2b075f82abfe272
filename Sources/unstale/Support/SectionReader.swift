import Yams

/// Reads mappings of a `--config` file that have a form of their own, and collects every mistake in them. What stands in
/// the file is not repeated, for it may be a password.
struct SectionReader {
    /// The file's, for messages.
    let path: String
    /// All that is wrong, a line each.
    private(set) var mistakes: [String] = []

    init(path: String) { self.path = path }

    /// The fields of a mapping by their names; nil: it is none. `what` is what people call it.
    mutating func fields(of node: Node, _ what: String, known: [String]) -> [String: Node]? {
        guard case .mapping(let mapping) = node else { return fail(node, "\(what) must be a mapping") }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            let word = key.scalar?.string ?? ""
            if !known.contains(word) {
                let message = "unknown setting '\(escaped(word))' in \(what)"
                complain(key, message, suggestion: known.nearest(to: word))
            }
            fields[word] = value
        }
        return fields
    }

    /// A field that `what` can't be without.
    mutating func required(_ name: String, in fields: [String: Node], of node: Node, _ what: String) -> Node? {
        fields[name] ?? fail(node, "\(what) needs '\(name)'")
    }

    /// One of the values of a type.
    mutating func choice<Value: RawRepresentable & CaseIterable>(_ node: Node, _ name: String) -> Value?
    where Value.RawValue == String {
        let known = Value.allCases.map(\.rawValue)
        guard let text = node.scalar?.string, let value = Value(rawValue: text) else {
            return fail(
                node, "'\(name)' must be one of \(known.joined(separator: ", "))",
                suggestion: node.scalar.flatMap { known.nearest(to: $0.string) })
        }
        return value
    }

    /// A whole number.
    mutating func number(_ node: Node, _ name: String, from minimum: Int) -> Int? {
        guard let number = node.scalar.flatMap({ Int($0.string) }), number >= minimum else {
            return fail(node, "'\(name)' must be a number from \(minimum) up")
        }
        return number
    }

    /// Yes or no.
    mutating func truth(_ node: Node, _ name: String) -> Bool? {
        guard let truth = node.scalar.flatMap({ Bool($0.string) }) else {
            return fail(node, "'\(name)' must be true or false")
        }
        return truth
    }

    /// Takes note of a mistake; gives nil, in place of the value.
    mutating func fail<Value>(_ node: Node, _ message: String, suggestion: String? = nil) -> Value? {
        complain(node, message, suggestion: suggestion)
        return nil
    }

    /// Takes note of a mistake.
    mutating func complain(_ node: Node, _ message: String, suggestion: String? = nil) {
        let position = node.mark.map { "\(path):\($0.line):\($0.column)" } ?? path
        let question = suggestion.map { "; did you mean '\($0)'?" } ?? ""
        mistakes.append("\(position): \(message)\(question)")
    }
}
