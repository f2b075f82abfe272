/// The tree of the steps of many keys. A node's children are what follows it.
struct KeyTree: Sendable {
    /// How many names may stand beside one another.
    struct Limits {
        /// … where nothing before them varies, and keys go on behind them: they are most likely kinds of things.
        var kinds = 200
        /// … where something before them varies.
        var parts = 10
        /// … where keys end.
        var ends = 8
        /// How deep the tree may be.
        var depth = KeyShape.maximumDepth

        /// Ever fewer of everything, until there is one family.
        init(_ strictness: Int) {
            let shift = min(strictness, 8)
            (kinds, parts, ends) = (kinds >> shift, parts >> shift, ends >> shift)
            depth = max(0, depth - 2 * max(0, strictness - 8))
        }
    }

    /// Steps that could be one another's values.
    private struct Place: Hashable {
        var separator: UInt8?
        var isLast: Bool

        init(_ step: KeyShape.Step) { (separator, isLast) = (step.separator, step.isLast) }
    }

    private var count = 0
    /// The smallest key.
    private var example: [UInt8] = []
    private var children: [KeyShape.Step: KeyTree] = [:]

    /// A key as an example.
    static func excerpt(of key: [UInt8]) -> [UInt8] { key.count <= 256 ? key : Array(key.prefix(256)) }

    /// Adds a key; gives by how many nodes the tree grew.
    mutating func insert(_ steps: ArraySlice<KeyShape.Step>, _ key: [UInt8]) -> Int {
        if count == 0 || key.lexicographicallyPrecedes(example) { example = key }
        count += 1
        guard let step = steps.first else { return 0 }
        let before = children.count
        let below = children[step, default: KeyTree()].insert(steps.dropFirst(), key)
        return below + children.count - before
    }

    /// How many families there are.
    var leafCount: Int { children.isEmpty ? 1 : children.values.reduce(0) { $0 + $1.leafCount } }

    /// The families, in no order.
    var families: [KeyFamily] {
        var families: [KeyFamily] = []
        if count > 0 { collect(&families, shape: [], glob: []) }
        return families
    }

    private func collect(_ families: inout [KeyFamily], shape: [UInt8], glob: [UInt8]) {
        if children.isEmpty {
            let text = String(decoding: shape, as: UTF8.self)
            families.append(
                KeyFamily(shape: text, pattern: Pattern(bytes: glob), count: count, example: Key(bytes: example)))
        }
        for (step, child) in children {
            child.collect(&families, shape: shape + step.label, glob: glob + step.glob)
        }
    }

    // MARK: Folding

    /// Makes one of names and the like that are values of one variable.
    mutating func fold(_ limits: Limits, isVaried: Bool = false) {
        guard !children.isEmpty else { return }
        guard limits.depth > 0 else { return cut() }
        var below = limits
        below.depth -= 1
        for step in children.keys { children[step]?.fold(below, isVaried: isVaried || !step.word.isNamed) }
        for (place, steps) in Dictionary(grouping: children.keys, by: { Place($0) }) {
            let values = place.isLast ? ends(of: steps, limits) : parts(of: steps, limits, isVaried: isVaried)
            if values.isEmpty, !steps.contains(where: { $0.word == .any }) {
                foldRareKinds(steps, below)
            } else {
                merge(values + steps.filter { !$0.word.isNamed }, into: .any, at: place, below)
            }
        }
    }

    /// The names among the last steps that are values.
    private func ends(of steps: [KeyShape.Step], _ limits: Limits) -> [KeyShape.Step] {
        let names = steps.filter(\.word.isNamed)
        return names.count > limits.ends || steps.contains { $0.word == .any } ? names : []
    }

    /// The names among steps that others follow that are values. One that very many keys have stands for itself,
    /// unless most of the others are values anyway.
    private func parts(of steps: [KeyShape.Step], _ limits: Limits, isVaried: Bool) -> [KeyShape.Step] {
        let limit = isVaried ? limits.parts : limits.kinds
        let names = steps.filter(\.word.isNamed)
        func sum(_ steps: [KeyShape.Step]) -> Int { steps.reduce(0) { $0 + count(of: $1) } }
        if steps.contains(where: { $0.word == .any }) {
            let total = sum(steps)
            return names.filter { count(of: $0) * limit < total }
        }
        guard names.count > limit else { return [] }
        let total = sum(names)
        let rare = names.filter { count(of: $0) * limit < total }
        return limit == 0 || sum(rare) * 3 >= total ? names : rare
    }

    /// Among hashes there are some that have digits alone, or letters alone, and the like.
    private mutating func foldRareKinds(_ steps: [KeyShape.Step], _ limits: Limits) {
        let kinds = steps.filter { [.number, .hash, .token].contains($0.word) }
        // Of equally many the hashes.
        let most = kinds.max { (count(of: $0), $0.word == .hash ? 1 : 0) < (count(of: $1), $1.word == .hash ? 1 : 0) }
        guard let most, most.word != .number else { return }
        let lookAlikes = most.word == .hash ? steps.filter(\.word.isLikeAHash) : []
        let rare = (kinds + lookAlikes).filter { $0 != most && count(of: $0) * 8 <= count(of: most) }
        if !rare.isEmpty { merge(rare, into: most.word, at: Place(most), limits) }
    }

    private func count(of step: KeyShape.Step) -> Int { children[step]?.count ?? 0 }

    private mutating func merge(
        _ steps: [KeyShape.Step], into word: KeyShape.Word, at place: Place, _ limits: Limits
    ) {
        let step = KeyShape.Step(separator: place.separator, word: word, isLast: place.isLast)
        var merged = children[step] ?? KeyTree()
        for other in steps where other != step {
            if let tree = children.removeValue(forKey: other) { merged.merge(tree) }
        }
        merged.fold(limits, isVaried: true)
        children[step] = merged
    }

    private mutating func merge(_ other: KeyTree) {
        if count == 0 || other.example.lexicographicallyPrecedes(example) { example = other.example }
        count += other.count
        for (step, child) in other.children { children[step, default: KeyTree()].merge(child) }
    }

    /// What follows is anything.
    private mutating func cut() {
        var rest = self
        rest.children = [:]
        children = [KeyShape.Step(separator: nil, word: .any, isLast: true): rest]
    }
}

extension KeyShape.Step {
    /// How people read it; what is a star in the key has a backslash.
    fileprivate var label: [UInt8] {
        switch separator {
        case nil: word.label
        case UInt8(ascii: "*"), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), separator ?? 0] + word.label
        case let separator?: [separator] + word.label
        }
    }

    /// What matches the step in keys. Braces are separators, so that those in a name are ours.
    fileprivate var glob: [UInt8] {
        guard case .named(let text) = word else { return Pattern.escape(separator.map { [$0] } ?? []) + "*".utf8 }
        var glob = Pattern.escape(separator.map { [$0] } ?? [])
        var isInside = false
        for byte in text {
            switch byte {
            case UInt8(ascii: "{"): isInside = true
            case UInt8(ascii: "}"):
                isInside = false
                glob.append(UInt8(ascii: "*"))
            default: if !isInside { Pattern.appendEscaped(byte, to: &glob) }
            }
        }
        return glob
    }
}
