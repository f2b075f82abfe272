/// Several hosts of one connection string, as libpq lists them: with commas, each keyword for itself.
struct HostList: Sendable {
    private var lists: [(keyword: String, values: [Substring])] = []

    /// How many there are.
    var count: Int { lists.map(\.values.count).max() ?? 1 }

    /// Takes note of a keyword, if it is about hosts.
    mutating func add(_ keyword: String, _ value: String) {
        guard ["host", "hostaddr", "port"].contains(keyword) else { return }
        lists.append((keyword, value.split(separator: ",", omittingEmptySubsequences: false)))
    }

    /// Keywords by which the first so many come last.
    func skipping(_ count: Int) -> [(String, String)] {
        lists.map { keyword, values in
            // A port may be that of all hosts.
            let first = min(count, values.count - 1)
            return (keyword, (values[first...] + values[..<first]).joined(separator: ","))
        }
    }
}
