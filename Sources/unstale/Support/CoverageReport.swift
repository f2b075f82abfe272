import Rules

/// What the rules leave out, as `unstale coverage` prints it.
struct CoverageReport: Codable {
    struct Keys: Codable {
        /// In the Redis database; nil: the user may not know.
        var inRedis: Int?
        /// Looked at, our own left out.
        var examined = 0
        /// Whether there are others.
        var isSample = false
        /// Whether each was counted once.
        var isExact = true
        /// Those of them that some rule can touch.
        var touched = 0
    }

    /// Keys of one shape that no rule can touch.
    struct Family: Codable {
        var shape: String
        var pattern: String
        var keys: Int
        var example: String
    }

    /// A rule's template that matches none of the keys.
    struct Template: Codable {
        var rule: String
        var location: String
        var template: String
    }

    struct Table: Codable, Comparable {
        var table: String
        var writes: Int
        /// The rules whose lookups and loaders read it.
        var readBy: [String]

        static func < (a: Table, b: Table) -> Bool { (b.writes, a.table) < (a.writes, b.table) }
    }

    var keys = Keys()
    /// Keys that no rule can touch.
    var families: [Family] = []
    var templatesWithoutKeys: [Template] = []
    /// Tables with writes that no rule names and none reads.
    var unnamedTables: [Table] = []
    /// Tables that rules read and none names.
    var readTables: [Table] = []
    /// Whether Postgres counts writes at all (`track_counts`).
    var countsWrites = true

    mutating func take(_ coverage: KeyCoverage, inRedis: Int?, isSample: Bool) {
        keys = Keys(
            inRedis: inRedis, examined: coverage.count, isSample: isSample, isExact: coverage.isExact,
            touched: coverage.touched)
        families = coverage.families.map { family in
            Family(
                shape: family.shape, pattern: text(of: family.pattern.bytes), keys: family.count,
                example: text(of: family.example.bytes))
        }
        templatesWithoutKeys = coverage.unmatched.map { part in
            Template(
                rule: part.rule.name.value, location: part.rule.location.description, template: part.template.source)
        }
    }

    // MARK: For people

    /// More lines than that nobody reads.
    private static let familyLimit = 40

    var text: String {
        ([keyLine] + familyLines + templateLines + tableLines + readLines).joined(separator: "\n")
    }

    private var keyLine: String {
        guard keys.examined > 0 else { return "keys: there are none" }
        let count = (keys.isExact ? "" : "about ") + keys.examined.grouped
        guard keys.isSample else { return "keys: \(count)" }
        return "keys: \(count)" + (keys.inRedis.map { " of \($0.grouped)" } ?? "") + ", a sample; --all looks at all"
    }

    private var familyLines: [String] {
        guard keys.examined > 0 else { return [] }
        guard !families.isEmpty else { return ["each of them can be touched by a rule"] }
        let untouched = keys.examined - keys.touched
        let shown = families.prefix(Self.familyLimit)
        var lines = ["\(untouched.grouped) of them no rule can touch:"]
        lines += aligned(
            shown.map { family in
                guard !family.shape.isEmpty else { return (family.keys, "the empty key", "") }
                return (family.keys, shortened(escaped(family.shape)), "as in \(shortened(escaped(family.example)))")
            })
        let rest = families.dropFirst(Self.familyLimit)
        if !rest.isEmpty {
            let count = rest.reduce(0) { $0 + $1.keys }
            lines.append("    and \(count.grouped) in \(rest.count.grouped) other families: see --json")
        }
        return lines
    }

    private var templateLines: [String] {
        guard keys.examined > 0, !templatesWithoutKeys.isEmpty else { return [] }
        return ["templates that match no key\(keys.isSample ? " in the sample" : ""):"]
            + templatesWithoutKeys.map { "    \(escaped($0.rule)) (\($0.location)): \(escaped($0.template))" }
    }

    private var tableLines: [String] {
        guard countsWrites else { return ["Postgres doesn't count writes: track_counts is off"] }
        guard !unnamedTables.isEmpty else { return ["each table that is written to is named or read by a rule"] }
        return ["tables that are written to and that no rule names, with their writes:"]
            + aligned(unnamedTables.map { ($0.writes, escaped($0.table), "") })
    }

    private var readLines: [String] {
        guard !readTables.isEmpty else { return [] }
        return ["tables that lookups or loaders read and that no rule names: a change of theirs makes no key stale"]
            + aligned(
                readTables.map {
                    ($0.writes, escaped($0.table), "read by \(escaped($0.readBy.joined(separator: ", ")))")
                })
    }

    private func aligned(_ rows: [(count: Int, name: String, note: String)]) -> [String] {
        let width = rows.map { $0.count.grouped.count }.max() ?? 0
        let nameWidth = min(50, rows.map(\.name.count).max() ?? 0)
        return rows.map { row in
            let count = row.count.grouped
            let line = "    " + String(repeating: " ", count: width - count.count) + "\(count)  \(row.name)"
            guard !row.note.isEmpty else { return line }
            return line + String(repeating: " ", count: max(0, nameWidth - row.name.count)) + "  \(row.note)"
        }
    }

    private func shortened(_ text: String) -> String { text.count <= 60 ? text : text.prefix(59) + "…" }

    /// Bytes as text; those that are none are written as escapes.
    private func text(of bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return bytes.map { byte in
            byte < 0x80 ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
