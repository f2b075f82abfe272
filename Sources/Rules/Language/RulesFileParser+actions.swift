extension RulesFileParser {
    mutating func deletion(_ field: YAMLField) -> Deletion {
        let known = ["keys", "patterns", "tags"]
        guard let fields = fields(of: field, "'delete'", known: known) else { return Deletion() }
        if !known.contains(where: { fields[$0] != nil }) {
            fail(fields.location, "'delete' needs one of \(known.joined(separator: ", "))")
        }
        return Deletion(
            keys: fields["keys"].map { templates(of: $0, as: .key) } ?? [],
            patterns: fields["patterns"].map { templates(of: $0, as: .pattern) } ?? [],
            tags: fields["tags"].map { templates(of: $0, as: .anyKey) } ?? [])
    }

    mutating func expiration(_ field: YAMLField) -> Expiration? {
        guard let fields = fields(of: field, "'expire'", known: ["keys", "in"]) else { return nil }
        let keys = required("keys", in: fields).map { templates(of: $0, as: .anyKey) }
        let after = required("in", in: fields).flatMap { duration($0) }
        guard let keys, let after else { return nil }
        return Expiration(keys: keys, after: after)
    }

    mutating func publication(_ field: YAMLField) -> Publication? {
        guard let fields = fields(of: field, "'publish'", known: ["channel", "message"]) else { return nil }
        let channel = required("channel", in: fields).flatMap { template($0, as: .channel) }
        let message = fields["message"].flatMap { template($0, as: .text) }
        return channel.map { Publication(channel: $0, message: message) }
    }

    mutating func templates(of field: YAMLField, as role: TemplateRole) -> [Template] {
        var seen: Set<String> = []
        return items(of: field).compactMap { item in
            guard let template = template(item, as: role) else { return nil }
            if !seen.insert(template.source).inserted {
                fail(item.location, "'\(template.source)' stands twice in \(field.label)")
            }
            return template
        }
    }

    mutating func template(_ field: YAMLField, as role: TemplateRole) -> Template? {
        parse(field) { (text, locate) throws(TemplateError) in
            let template = try TemplateParser.parse(text, locate: locate)
            try role.check(template)
            return template
        }
    }
}
