import Rules
import TestSupport
import Testing

/// Thousands of failures that are alike are a few lines.
@Suite struct LogFloodTests {
    @Test func failingActions() async throws {
        let rules = """
            version: 1
            rules:
              - name: line
                table: lines
                lookup: select (:id || 'x')::int as number
                delete: {keys: ["order:{number}"]}
            """
        let schema = "CREATE TABLE lines (id int PRIMARY KEY)"
        try await Site.with(rules: rules, schema: schema) { site, _ in
            let worker = try site.startWorker(["--attempts", "1"])
            try await worker.waitUntilServing()
            let application = try await site.connect()
            for statement in 0..<3 {
                try await application.sql(
                    "INSERT INTO lines SELECT n FROM generate_series(\(statement * 1_000 + 1), \((statement + 1) * 1_000)) AS n"
                )
            }
            try await eventually(within: .seconds(60), "all are dead letters") {
                try await application.value("SELECT count(dead_at) FROM unstale.dead_letters") == "3000"
            }
            #expect(try await worker.terminate() == 0)
            let lines = worker.lines.filter { $0.contains("] An action failed") }
            #expect(lines.count >= 2 && lines.count <= 6, "\(lines)")
            #expect(lines.first.map { !$0.contains("repeated") } ?? false, "the first is said as it is")
            let repeated = lines.compactMap { line in
                line.firstMatch(of: /\(repeated (\d+) times in \d+ s\)/).flatMap { Int($0.1) }
            }
            #expect(repeated.count == lines.count - 1)
            #expect(repeated.reduce(1, +) == 3_000)
        }
    }
}
