extension Sequence<String> {
    /// The word that was probably meant by one that isn't among these, if any is near enough.
    package func nearest(to word: String) -> String? {
        let limit = Swift.max(1, word.count / 3)
        var best: (word: String, distance: Int)?
        for candidate in self {
            let distance = editDistance(Array(word.lowercased()), Array(candidate.lowercased()))
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.word
    }
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    // Longer words are no typing mistakes of each other; this also keeps a silly name from costing a second.
    guard a.count <= 100, b.count <= 100 else { return .max }
    var last: [Int] = []
    var row = Array(0...b.count)
    for i in a.indices {
        var next = [i + 1]
        for j in b.indices {
            let replace = row[j] + (a[i] == b[j] ? 0 : 1)
            var least = min(replace, row[j + 1] + 1, next[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, last[j - 1] + 1) }
            next.append(least)
        }
        (last, row) = (row, next)
    }
    return row[b.count]
}
