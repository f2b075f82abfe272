/// An entry that is loaded anew, compiled: what is run for each change.
struct RewarmFill: Sendable {
    private enum Loader: Sendable {
        case sql([(side: ImageColumn.Side, index: Int)])
        case http(url: Fill, headers: [(name: String, value: Fill)])
    }

    private let rule: Int
    private let entry: Int
    private let key: Fill
    private let loader: Loader
    /// Whether it is filled once for each image, and not once for each change.
    let usesEither: Bool
    private let isKeyed: Bool

    /// Compiles an entry of a rule; nil if `index` doesn't know one of its columns.
    init?(_ rewarm: Rewarm, rule: Int, entry: Int, index: (ImageColumn) -> Int?) {
        func fill(_ template: Template) -> Fill? { Fill(KeyTemplate(key: template), index: index) }
        guard let key = fill(rewarm.key) else { return nil }
        switch rewarm.loader {
        case .sql(let sql):
            let parameters = sql.parameters.compactMap { column in index(column).map { (column.side, $0) } }
            guard parameters.count == sql.parameters.count else { return nil }
            loader = .sql(parameters)
        case .http(let http):
            let headers = http.headers.compactMap { name, value in fill(value).map { (name, $0) } }
            guard let url = fill(http.url), headers.count == http.headers.count else { return nil }
            loader = .http(url: url, headers: headers)
        }
        self.rule = rule
        self.entry = entry
        self.key = key
        usesEither = rewarm.columns.contains { $0.side == .either }
        isKeyed = rewarm.isKeyed
    }

    func apply(to rows: RowPair, plan: inout Plan, delays: [Duration], telling: Telling) {
        guard usesEither else {
            guard let outcome = self.outcome(rows, either: nil) else { return }
            return plan.insert(outcome, rule: rule, delays: delays, telling: telling)
        }
        let old = rows.old.flatMap { outcome(rows, either: $0) }
        let new = rows.isSame ? nil : rows.new.flatMap { outcome(rows, either: $0) }
        // Where both are about one key, the row is by now what the new image says. Of the key that a row has left, only a
        // loader that goes by the key reads something: any other would read of the row what belongs elsewhere by now.
        if let old, old.key != new?.key {
            plan.insert(isKeyed ? old : .delete(old.key), rule: rule, delays: delays, telling: telling)
        }
        if let new { plan.insert(new, rule: rule, delays: delays, telling: telling) }
    }

    /// What one image asks for.
    enum Outcome {
        case load(RewarmCall)
        /// The key is stale, and the loader lacks something that it needs.
        case delete(Key)

        var key: Key {
            switch self {
            case .load(let call): call.key
            case .delete(let key): key
            }
        }
    }

    func outcome(_ rows: RowPair, either: Image?) -> Outcome? {
        guard let bytes = key(rows, either: either) else { return nil }
        let key = Key(bytes: bytes)
        guard let input = input(rows, either: either) else { return .delete(key) }
        return .load(RewarmCall(rule: rule, entry: entry, key: key, input: input, isKeyed: isKeyed))
    }

    /// Nil where it needs an image that there isn't; a null is bound as null, but has no place in a request.
    private func input(_ rows: RowPair, either: Image?) -> RewarmCall.Input? {
        switch loader {
        case .sql(let parameters):
            var values: [[UInt8]?] = []
            for (side, index) in parameters {
                guard let image = rows.image(side, either: either) else { return nil }
                values.append(image[index].map(Array.init))
            }
            return .sql(values)
        case .http(let url, let headers):
            guard let url = url(rows, either: either) else { return nil }
            var call = HTTPCall(url: url)
            for (name, value) in headers {
                guard let value = value(rows, either: either) else { return nil }
                call.headers.append(HTTPCall.Header(name: name, value: value))
            }
            return .http(call)
        }
    }
}

extension Plan {
    /// Adds what an entry's loader was filled to.
    mutating func insert(_ outcome: RewarmFill.Outcome, rule: Int, delays: [Duration], telling: Telling) {
        switch outcome {
        case .load(let call) where call.isKeyed || !isLate:
            insert(call, repeatAfter: delays)
            if telling == .items { tell(rule, repeatAfter: delays) { $0.insert(.key(call.key)) } }
        case .load, .delete:
            insert(outcome.key, for: .delete, rule: rule, isFenced: true, delays: delays, telling: telling)
            // What another change has the loader read is not known to be newer.
            dispute(PlannedKey(key: outcome.key, rule: rule))
        }
    }
}
