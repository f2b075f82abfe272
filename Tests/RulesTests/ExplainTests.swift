import Testing

@testable import Rules

/// `unstale explain --key`.
@Suite struct ExplainTests {
    @Test(arguments: [
        ("user:42", ["user:{id} id=42"]),
        ("user:", ["user:{id} id="]),
        ("user:by-email:a@b", ["user:{id} id=by-email:a@b", "user:by-email:{email|lower} email|lower=a@b"]),
        ("a:1-2", ["a:{x}-{y} x=1 y=2"]),
        // Either dash could be the one of the template.
        ("a:1-2-3", ["a:{x}-{y}"]),
        ("b:12", ["b:{x}{y}"]), ("c:1:1", ["c:{x}:{x} x=1 x=1"]), ("c:1:2", []),
        ("p:7?page=1", ["p:{id}\\?* id=7"]), ("p:7?a?b", ["p:{id}\\?*"]), ("p:7", []),
        ("q:ax1", ["q:[ab]?{id} id=1"]), ("q:cx1", []),
        ("fixed", ["fixed"]), ("fixed2", []), ("order:9", ["order:{number} number=9"]), ("nothing", []),
    ])
    func keys(key: String, expected: [String]) throws {
        let rules = try RuleSet.parse(
            """
            version: 1
            rules:
              - {name: a, table: t, delete: {keys: ['user:{id}', 'user:by-email:{email|lower}', 'a:{x}-{y}']}}
              - {name: b, table: t, delete: {keys: ['b:{x}{y}', 'c:{x}:{x}']}}
              - {name: c, table: t, delete: {patterns: ['p:{id}\\?*', 'q:[ab]?{id}', 'fixed']}}
              - {name: d, table: t, lookup: 'table b', delete: {keys: ['order:{number}']}}
            """)
        let matches = rules.rules(thatMayStale: key).map { match in
            ([match.template.source] + match.bindings.map { "\($0.placeholder)=\($0.value)" })
                .joined(separator: " ")
        }
        #expect(matches == expected)
    }

    /// Every key that a rule makes is explained by it, and the columns it tells are those of the row.
    @Test func everyKeyIsExplained() throws {
        var random = SeededGenerator()
        for source in ["k:{a}:{b}", "k{a}{b}", "k:{a}-{a}", "k{a}:k{b}k"] {
            let template = KeyTemplate(key: try Template(source))
            let fill = try #require(Fill(template, index: { $0.name == "a" ? 0 : 1 }))
            for _ in 0..<3000 {
                let row = [random.bytes("k:-a", upTo: 4), random.bytes("k:-a", upTo: 4)]
                let image = Image(row)
                let key = try #require(fill(RowPair(old: nil, new: image), either: image))
                let bindings = try #require(
                    KeyMatcher(template).bindings(for: key), "seed \(random.seed): \(source) \(row)")
                for (placeholder, value) in bindings {
                    let expected = row[placeholder.column.name == "a" ? 0 : 1]
                    #expect(Array(value.utf8) == expected, "seed \(random.seed): \(source) \(row)")
                }
            }
        }
    }
}
