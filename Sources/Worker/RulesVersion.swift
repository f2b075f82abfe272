import Rules

extension [Rule] {
    /// A text that is another one whenever the rules ask for something else, wherever they stand in their files.
    var version: String {
        let texts = map { rule in
            // A key that becomes a pattern asks for something else though its text stays.
            let templates = [rule.delete.keys, rule.delete.patterns, rule.rewarm.map(\.key)].map { $0.map(\.source) }
            let others =
                [rule.delete.tags, rule.expire?.keys ?? [], rule.bump]
                + [rule.publish?.channel, rule.publish?.message].map { $0.map { [$0] } ?? [] }
            let actions = others.map { $0.map(\.source) }
            let queries = ([rule.lookup] + rule.rewarm.map(\.sql)).compactMap { query in
                query?.render { ":\(query?.parameters[$0].description ?? "")" }
            }
            let requests = rule.rewarm.compactMap(\.http).map { http in
                "\(http.url) \(http.headers.map { "\($0.name): \($0.value)" })"
            }
            let condition = rule.condition
            return "\(rule.name.value) \(rule.table.value) \(condition.operations.map(\.rawValue)) "
                + "\(condition.columns) \(condition.predicate ?? "") \(queries) "
                + "\(templates) \(rule.repeatAfter)"
                + (requests.isEmpty ? "" : " \(requests)")
                + (actions.allSatisfy(\.isEmpty) ? "" : " \(actions) \(rule.expire?.after ?? .zero)")
        }
        // FNV-1a (Fowler, Noll, Vo), for Swift's own hashes differ from process to process.
        let hash = texts.sorted().joined(separator: "\n").utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 16)
    }
}
