/// Makes rules and tests of a file, and collects every mistake in it.
struct RulesFileParser {
    private(set) var file = RulesFile()
    private(set) var diagnostics: [RulesDiagnostic]

    /// Parses a file's text.
    static func parse(_ source: SourceText) -> (file: RulesFile, diagnostics: [RulesDiagnostic]) {
        var reader = YAMLReader(source)
        let root = reader.read()
        var parser = RulesFileParser(diagnostics: reader.diagnostics)
        if let root { parser.parse(root) }
        return (parser.file, parser.diagnostics.sorted(by: isEarlier))
    }

    private init(diagnostics: [RulesDiagnostic]) { self.diagnostics = diagnostics }

    private mutating func parse(_ root: YAMLNode) {
        let field = YAMLField(label: "a rules file", location: root.location, value: root)
        guard let fields = fields(of: field, "a rules file", known: ["version", "rules", "tests"]) else {
            return
        }
        if let version = required("version", in: fields), let number = text(version), number != "1" {
            fail(version.value.location, "'version' must be 1, not \(version.value.kind)")
        }
        if let rules = required("rules", in: fields) { file.rules = items(of: rules).compactMap { rule($0) } }
        if let tests = fields["tests"] { file.tests = items(of: tests).compactMap { test($0) } }
    }

    mutating func fail(_ location: FilePosition, _ message: String, suggestion: String? = nil) {
        diagnostics.append(RulesDiagnostic(location, message, suggestion: suggestion))
    }
}

private func isEarlier(_ a: RulesDiagnostic, _ b: RulesDiagnostic) -> Bool {
    (a.location.line, a.location.column) < (b.location.line, b.location.column)
}
