import FoundationEssentials
import Testing

@testable import Admin

/// What people read of the metrics is what there is.
@Suite struct ReadmeTests {
    /// `deploy/README.md` has a row for each, some rows for several that have the same labels.
    @Test func theTableOfMetrics() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let readme = try String(contentsOfFile: "/\(root)/deploy/README.md", encoding: .utf8)
        var described: [String: String] = [:]
        for row in readme.split(separator: "\n") where row.hasPrefix("| `unstale_") || row.hasPrefix("| `process_") {
            let cells = row.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            for name in try #require(cells.first).split(separator: ", ") {
                described[name.filter { $0 != "`" }] = cells[1]
            }
        }
        let metrics = MetricCatalogue.all.map { ($0.name, $0.labels.joined(separator: ", ")) }
        #expect(described == Dictionary(metrics) { $1 })
    }

    @Test func namesSayWhatKindAMetricIs() {
        for metric in MetricCatalogue.all {
            #expect((metric.kind == .counter) == metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect((metric.kind == .histogram) == !metric.buckets.isEmpty, "\(metric.name)")
            #expect(metric.buckets == metric.buckets.sorted(), "\(metric.name)")
        }
    }
}
