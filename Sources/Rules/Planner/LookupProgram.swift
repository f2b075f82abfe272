/// A rule's lookup, compiled for the images of one capture.
struct LookupProgram: Sendable {
    private let rule: Int
    private let parameters: [(side: ImageColumn.Side, index: Int)]
    private let usesEither: Bool
    private let oldContext: [Int]
    private let newContext: [Int]

    init(_ lookup: SQLTemplate, of rule: Rule, index: Int, columns: [String]) {
        func indexes(_ names: [String]) -> [Int] { names.compactMap(columns.firstIndex) }
        self.rule = index
        parameters = lookup.parameters.compactMap { parameter in
            columns.firstIndex(of: parameter.name).map { (parameter.side, $0) }
        }
        usesEither = parameters.contains { $0.side == .either }
        oldContext = indexes(rule.context(.old))
        newContext = indexes(rule.context(.new))
    }

    func apply(to rows: RowPair, plan: inout Plan) {
        if usesEither {
            rows.forEach({ call(rows, either: $0) }) { plan.insert($0) }
        } else if let call = call(rows, either: nil) {
            plan.insert(call)
        }
    }

    /// The call for one image; nil where it needs one that there isn't. A null is bound as null.
    private func call(_ rows: RowPair, either: Image?) -> LookupCall? {
        var values: [[UInt8]?] = []
        for (side, index) in parameters {
            guard let image = rows.image(side, either: either) else { return nil }
            values.append(image[index].map(Array.init))
        }
        return LookupCall(
            rule: rule, parameters: values, old: context(oldContext, of: rows.old),
            new: context(newContext, of: rows.new))
    }

    private func context(_ columns: [Int], of image: Image?) -> [[UInt8]?]? {
        guard let image, !columns.isEmpty else { return nil }
        return columns.map { image[$0].map(Array.init) }
    }
}
