/// A template read backwards: from a key to the columns that make it.
struct KeyMatcher {
    /// What stands between the gaps: each token matches one byte.
    private var segments: [[GlobToken]] = [[]]
    /// The columns, and nil for the stars of a glob; one fewer than there are segments.
    private var gaps: [Placeholder?] = []

    init(_ template: KeyTemplate) {
        for piece in template.pieces {
            switch piece {
            case .placeholder(let placeholder):
                addGap(placeholder)
            case .text(let text):
                let tokens = template.isGlob ? GlobLexer(text).tokens : text.map { .byte($0) }
                for token in tokens {
                    if token == .star { addGap(nil) } else { segments[segments.count - 1].append(token) }
                }
            }
        }
    }

    private mutating func addGap(_ placeholder: Placeholder?) {
        gaps.append(placeholder)
        segments.append([])
    }

    /// What the columns must be for the template to make the key; nil if it can't.
    func bindings(for key: [UInt8]) -> [(placeholder: Placeholder, value: String)]? {
        guard let first = earliestStarts(in: key), let last = latestStarts(in: key) else { return nil }
        var bindings: [(placeholder: Placeholder, value: String)] = []
        var values: [String: String] = [:]
        for (index, gap) in gaps.enumerated() {
            // A segment that fits in one place only tells where the gaps beside it end.
            guard let gap, first[index] == last[index], first[index + 1] == last[index + 1] else { continue }
            let value = key[first[index] + segments[index].count..<first[index + 1]]
            let text = String(decoding: value, as: UTF8.self)
            if let other = values.updateValue(text, forKey: gap.description), other != text { return nil }
            bindings.append((gap, text))
        }
        return bindings
    }

    /// Where each segment begins if all stand as far left as they can.
    private func earliestStarts(in key: [UInt8]) -> [Int]? {
        var starts: [Int] = []
        var end = 0
        for index in segments.indices {
            guard
                let start = places(of: index, in: key).first(where: { $0 >= end && fits(index, key, at: $0) })
            else { return nil }
            starts.append(start)
            end = start + segments[index].count
        }
        return starts
    }

    /// Where each segment begins if all stand as far right as they can.
    private func latestStarts(in key: [UInt8]) -> [Int]? {
        var starts: [Int] = []
        var end = key.count
        for index in segments.indices.reversed() {
            let count = segments[index].count
            guard
                let start = places(of: index, in: key).last(where: {
                    $0 + count <= end && fits(index, key, at: $0)
                })
            else { return nil }
            starts.append(start)
            end = start
        }
        return starts.reversed()
    }

    /// Where a segment could begin by its length: the first only at the beginning, the last only at the end.
    private func places(of index: Int, in key: [UInt8]) -> Range<Int> {
        let last = key.count - segments[index].count
        guard last >= 0, segments.count > 1 || last == 0 else { return 0..<0 }
        if index == 0 { return 0..<1 }
        return index == segments.count - 1 ? last..<last + 1 : 0..<last + 1
    }

    private func fits(_ index: Int, _ key: [UInt8], at start: Int) -> Bool {
        zip(segments[index], key[start...]).allSatisfy { $0.matches($1) }
    }
}
