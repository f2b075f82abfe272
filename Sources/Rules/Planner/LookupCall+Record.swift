/// A call as text, in a form that people can read too. The rule is left out: its number means nothing to another
/// process. That one may have other rules too, so the values' columns are named.
extension LookupCall {
    /// What outlives the process. Without names it is one of a worker that knew none.
    public struct Record: Codable, Hashable, Sendable {
        /// The lookup's parameters, as `parameters` has their values.
        var columns: [String]?
        var parameters: [String?]
        /// The columns of the old row that templates use, as `old` has their values.
        var oldColumns: [String]?
        var old: [String?]?
        /// The same of the new row.
        var newColumns: [String]?
        var new: [String?]?
    }

    /// The call as a record.
    public func record(_ rules: [Rule]) -> Record {
        func texts(_ values: [[UInt8]?]) -> [String?] {
            values.map { $0.map { String(decoding: $0, as: UTF8.self) } }
        }
        let rule = rules[self.rule]
        return Record(
            columns: rule.lookup?.parameters.map(\.description), parameters: texts(parameters),
            oldColumns: rule.context(.old), old: old.map(texts), newColumns: rule.context(.new), new: new.map(texts))
    }
}

extension LookupCall.Record {
    /// Whether all values are those of the columns that the rule takes them for.
    fileprivate func fits(_ lookup: SQLTemplate, of rule: Rule) -> Bool {
        func fit(_ values: [String?]?, of names: [String]?, _ columns: [String]) -> Bool {
            // Without names nobody can tell a row that isn't there from one that wasn't asked for.
            guard let names else { return values?.count ?? 0 == columns.count }
            return names == columns && values?.count ?? columns.count == columns.count
        }
        return fit(parameters, of: columns, lookup.parameters.map(\.description))
            && fit(old, of: oldColumns, rule.context(.old)) && fit(new, of: newColumns, rule.context(.new))
    }
}

extension Planner {
    /// The call that was recorded, for the rule with this number; nil where it has no lookup any more, or takes other
    /// columns.
    public func call(_ record: LookupCall.Record, ofRule rule: Int) -> LookupCall? {
        guard let lookup = rules[rule].lookup, record.fits(lookup, of: rules[rule]) else { return nil }
        func bytes(_ texts: [String?]) -> [[UInt8]?] { texts.map { $0.map { Array($0.utf8) } } }
        return LookupCall(
            rule: rule, parameters: bytes(record.parameters), old: record.old.map(bytes), new: record.new.map(bytes))
    }
}
