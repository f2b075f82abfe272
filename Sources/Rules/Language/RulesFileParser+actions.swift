extension RulesFileParser {
    mutating func deletion(_ field: YAMLField) -> Deletion {
        let known = ["keys", "patterns", "tags"]
        guard let fields = fields(of: field, "'delete'", known: known) else { return Deletion() }
        noteUnsupported(fields, prefix: "delete.")
        if !known.contains(where: { fields[$0] != nil }) {
            fail(fields.location, "'delete' needs one of \(known.joined(separator: ", "))")
        }
        return Deletion(
            keys: fields["keys"].map { templates(of: $0, as: .key) } ?? [],
            patterns: fields["patterns"].map { templates(of: $0, as: .pattern) } ?? [],
            tags: fields["tags"].map { templates(of: $0, as: .anyKey) } ?? [])
    }

    mutating func rewarm(_ field: YAMLField) -> Rewarm? {
        let known = ["key", "sql", "http", "ttl", "jitter", "when", "max_bytes", "deadline", "touch"]
        guard let fields = fields(of: field, "a rewarm", known: known) else { return nil }
        let key = required("key", in: fields).flatMap { template($0, as: .anyKey) }
        let touch = fields["touch"].flatMap { boolean($0) } ?? false
        if let field = fields["touch"], touch, fields["http"] == nil {
            fail(field.location, "'touch' needs 'http': only the application can store the entry itself")
        }
        if !touch { _ = required("ttl", in: fields) }
        let loader = loader(of: fields)
        let ttl = fields["ttl"].flatMap { duration($0) }
        let jitter = fields["jitter"].flatMap { percent($0) } ?? 0
        let when = fields["when"].flatMap { locatedText($0) }
            .flatMap { choice($0, label: "'when'", of: Rewarm.Condition.self) }
        let maxBytes = fields["max_bytes"].flatMap { size($0) }
        let deadline = fields["deadline"].flatMap { duration($0) }
        guard let key, let loader else { return nil }
        return Rewarm(
            key: key, loader: loader, ttl: ttl, jitter: jitter, when: when ?? .always, maxBytes: maxBytes,
            deadline: deadline, touch: touch)
    }

    private mutating func loader(of fields: YAMLFields) -> Rewarm.Loader? {
        switch (fields["sql"], fields["http"]) {
        case (let sql?, nil):
            return parse(sql, by: SQLTemplate.parse).map { .sql($0) }
        case (nil, let http?):
            return request(http)
        default:
            fail(fields.location, "a rewarm needs either 'sql' or 'http'")
            return nil
        }
    }

    private mutating func request(_ field: YAMLField) -> Rewarm.Loader? {
        guard let fields = fields(of: field, "'http'", known: ["url", "headers"]) else { return nil }
        let url = required("url", in: fields).flatMap { template($0, as: .text) }
        var headers: [(name: String, value: Template)] = []
        if let field = fields["headers"], let names = anyFields(of: field, "'headers'") {
            for name in names.keys {
                guard let value = names[name.text].flatMap({ template($0, as: .text) }) else { continue }
                headers.append((name.text, value))
            }
        }
        return url.map { .http(url: $0, headers: headers) }
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
        let channel = required("channel", in: fields).flatMap { template($0, as: .text) }
        let message = required("message", in: fields).flatMap { template($0, as: .text) }
        guard let channel, let message else { return nil }
        return Publication(channel: channel, message: message)
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
