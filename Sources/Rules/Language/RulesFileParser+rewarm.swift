extension RulesFileParser {
    mutating func rewarm(_ field: YAMLField) -> Rewarm? {
        let known = [
            "key", "sql", "http", "ttl", "jitter", "when", "max_idle", "min_frequency", "max_bytes", "deadline",
            "touch", "concurrency", "rate", "queue",
        ]
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
        let heat = heat(of: fields, when: when)
        let maxBytes = fields["max_bytes"].flatMap { valueSize($0) }
        let deadline = fields["deadline"].flatMap { servingTime($0) }
        let budget = budget(of: fields)
        guard let key, let loader else { return nil }
        return Rewarm(
            key: key, loader: loader, ttl: ttl, jitter: jitter, when: when ?? .always, heat: heat,
            maxBytes: maxBytes ?? Rewarm.defaultMaxBytes, deadline: deadline ?? Rewarm.defaultDeadline,
            touch: touch, budget: budget)
    }

    /// A load that takes longer than its fence lives could never be stored.
    private mutating func servingTime(_ field: YAMLField) -> Duration? {
        guard let deadline = duration(field) else { return nil }
        if deadline > .seconds(30) {
            fail(field.value.location, "'deadline' must be at most 30s: so long the old value may be served")
        }
        return deadline
    }

    /// Redis hangs up on who sends a longer string, and would each time that it is sent again.
    private mutating func valueSize(_ field: YAMLField) -> Int? {
        guard let bytes = size(field) else { return nil }
        if bytes > 512 << 20 {
            fail(field.value.location, "'max_bytes' must be at most 512MiB: no value in Redis is longer")
        }
        return bytes
    }

    private mutating func heat(of fields: YAMLFields, when: Rewarm.Condition?) -> Rewarm.Heat {
        var heat = Rewarm.Heat()
        for name in ["max_idle", "min_frequency"] {
            guard let field = fields[name], when != .hot else { continue }
            fail(field.location, "'\(name)' says what is hot, and 'when' is not 'hot'")
        }
        if let idle = fields["max_idle"].flatMap({ duration($0) }) { heat.maxIdle = idle }
        if let frequency = fields["min_frequency"].flatMap({ count($0) }) { heat.minFrequency = frequency }
        return heat
    }

    private mutating func budget(of fields: YAMLFields) -> Rewarm.Budget {
        var budget = Rewarm.Budget()
        if let count = fields["concurrency"].flatMap({ count($0) }) { budget.concurrency = count }
        if let count = fields["rate"].flatMap({ count($0) }) { budget.rate = count }
        if let count = fields["queue"].flatMap({ count($0) }) { budget.queue = count }
        return budget
    }

    private mutating func loader(of fields: YAMLFields) -> Rewarm.Loader? {
        switch (fields["sql"], fields["http"]) {
        case (let sql?, nil):
            return parse(sql, by: SQLTemplate.parseSelect).map { .sql($0) }
        case (nil, let http?):
            return request(http).map { .http($0) }
        default:
            fail(fields.location, "a rewarm needs either 'sql' or 'http'")
            return nil
        }
    }

    private mutating func request(_ field: YAMLField) -> HTTPTemplate? {
        let known = ["url", "headers", "timeout", "addresses"]
        guard let fields = fields(of: field, "'http'", known: known) else { return nil }
        let url = required("url", in: fields).flatMap { template($0, as: .url) }
        var headers: [(name: String, value: Template)] = []
        if let field = fields["headers"], let names = anyFields(of: field, "'headers'") {
            for name in names.keys {
                guard let value = names[name.text].flatMap({ template($0, as: .header) }) else { continue }
                if !HTTPCall.Header.isName(name.text) {
                    fail(name.location, "'\(name.text)' can't be the name of a header field")
                }
                headers.append((name.text, value))
            }
        }
        let timeout = fields["timeout"].flatMap { duration($0) }
        let addresses = fields["addresses"].map { self.addresses(of: $0) } ?? []
        return url.map { HTTPTemplate(url: $0, headers: headers, timeout: timeout, addresses: addresses) }
    }

    private mutating func addresses(of field: YAMLField) -> Set<IPAddress> {
        var addresses: Set<IPAddress> = []
        for text in texts(of: field) {
            if let address = IPAddress(text.value) {
                addresses.insert(address)
            } else {
                fail(text.location, "'\(text.value)' is no IP address")
            }
        }
        return addresses
    }
}
