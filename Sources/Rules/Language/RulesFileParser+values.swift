/// Values of every type the language has. Each reports what is wrong and returns nil.
extension RulesFileParser {
    mutating func fields(of field: YAMLField, _ what: String, known: [String]) -> YAMLFields? {
        guard let fields = anyFields(of: field, what) else { return nil }
        for key in fields.keys where !known.contains(key.text) {
            fail(
                key.location, "unknown key '\(key.text)' in \(what)", suggestion: known.nearest(to: key.text))
        }
        return fields
    }

    mutating func anyFields(of field: YAMLField, _ what: String) -> YAMLFields? {
        guard case .mapping(let pairs) = field.value.content else { return wrongType(field, "a mapping") }
        return YAMLFields(pairs, what: what, location: field.value.location)
    }

    mutating func required(_ key: String, in fields: YAMLFields) -> YAMLField? {
        if let field = fields[key] { return field }
        fail(fields.location, "\(fields.what) needs '\(key)'")
        return nil
    }

    mutating func items(of field: YAMLField) -> [YAMLField] {
        guard case .list(let nodes) = field.value.content else {
            wrongType(field, "a list") as Void?
            return []
        }
        return nodes.map { YAMLField(label: "an item of \(field.label)", location: $0.location, value: $0) }
    }

    mutating func scalar(_ field: YAMLField) -> YAMLScalar? {
        guard case .scalar(let scalar) = field.value.content, !scalar.isNull, !scalar.text.isEmpty else {
            return wrongType(field, "text")
        }
        return scalar
    }

    mutating func text(_ field: YAMLField) -> String? { scalar(field)?.text }

    mutating func locatedText(_ field: YAMLField) -> Located<String>? {
        scalar(field).map { Located($0.text, $0.location) }
    }

    /// A list of texts, none of them twice.
    mutating func texts(of field: YAMLField) -> [Located<String>] {
        var seen: Set<String> = []
        return items(of: field).compactMap { item in
            guard let text = locatedText(item) else { return nil }
            if !seen.insert(text.value).inserted {
                fail(item.location, "'\(text.value)' stands twice in \(field.label)")
            }
            return text
        }
    }

    mutating func boolean(_ field: YAMLField) -> Bool? {
        guard case .scalar(let scalar) = field.value.content, let value = Bool(scalar.text) else {
            return wrongType(field, "true or false")
        }
        return value
    }

    mutating func duration(_ field: YAMLField) -> Duration? {
        guard let text = text(field) else { return nil }
        return Duration(ruleText: text) ?? wrongType(field, "a time such as 250ms, 5s, 5m, 1h or 1d")
    }

    /// A list of times, none of them twice.
    mutating func durations(of field: YAMLField, upTo limit: Duration) -> [Duration] {
        var durations: [Duration] = []
        for item in items(of: field) {
            guard let duration = duration(item) else { continue }
            if duration > limit {
                fail(
                    item.location,
                    "\(item.value.kind) is too long: an item of \(field.label) is at most \(limit.components.seconds)s")
            }
            if durations.contains(duration) {
                fail(item.location, "\(item.value.kind) stands twice in \(field.label)")
            }
            durations.append(duration)
        }
        return durations
    }

    mutating func size(_ field: YAMLField) -> Int? {
        guard let text = text(field) else { return nil }
        return parseSize(text) ?? wrongType(field, "a size such as 512KiB or 1MB")
    }

    mutating func count(_ field: YAMLField) -> Int? {
        guard let text = text(field) else { return nil }
        guard let count = Int(text), (1...1_000_000).contains(count) else {
            return wrongType(field, "a number from 1 to 1000000")
        }
        return count
    }

    mutating func percent(_ field: YAMLField) -> Int? {
        guard let text = text(field) else { return nil }
        return parsePercent(text) ?? wrongType(field, "a percentage such as 10%")
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ text: Located<String>, label: String, of type: Choice.Type = Choice.self
    ) -> Choice? {
        if let choice = Choice(rawValue: text.value) { return choice }
        let known = Choice.allCases.map(\.rawValue)
        fail(
            text.location, "\(label) must be one of \(known.joined(separator: ", ")), not '\(text.value)'",
            suggestion: known.nearest(to: text.value))
        return nil
    }

    /// Text that has a syntax of its own.
    mutating func parse<Value>(
        _ field: YAMLField,
        by parse: (String, (Int) -> FilePosition) throws(TemplateError) -> Value
    ) -> Value? {
        guard let scalar = scalar(field) else { return nil }
        do {
            return try parse(scalar.text, scalar.location(at:))
        } catch {
            fail(scalar.location(at: error.offset), error.message, suggestion: error.suggestion)
            return nil
        }
    }

    @discardableResult
    private mutating func wrongType<Value>(_ field: YAMLField, _ expected: String) -> Value? {
        var hint = ""
        if expected == "text", case .mapping = field.value.content {
            hint = "; text with a brace or a colon needs quotes"
        }
        fail(field.value.location, "\(field.label) must be \(expected), not \(field.value.kind)\(hint)")
        return nil
    }
}
