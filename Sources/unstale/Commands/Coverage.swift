import ArgumentParser
import Capture
import Delivery
import FoundationEssentials
import Postgres
import Redis
import Rules

struct Coverage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coverage",
        abstract: "Shows which keys and tables the rules leave out.",
        discussion: """
            It looks at keys by SCAN, slowly enough for a Redis that is in use, and changes nothing. A key counts as \
            touched if some template makes it for whatever values of its columns.
            """)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var which: TargetOption

    @Option(help: ArgumentHelp("Keys to look at, at most; default: 10000.", valueName: "number"))
    var sample: Int?

    @Flag(help: "Look at all keys.")
    var all = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard sample == nil || !all else { throw ValidationError("--sample and --all exclude each other") }
        guard sample.map({ $0 > 0 }) ?? true else { throw ValidationError("--sample takes a number from 1 up") }
    }

    func run() async throws {
        let settings = try Settings(options)
        let rules = try settings.rules()
        let target = try settings.target(named: which.target)
        let postgres = try await PostgresConnection.connect(settings.postgres())
        var report = CoverageReport()
        try await examineTables(rules, postgres, &report)
        let redis = try await RedisConnections.connect(to: target.url)
        defer { redis.close() }
        try await examineKeys(rules.rules.filter { $0.concerns(target: target.name) }, redis, &report)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(report.text)
        }
    }

    private func examineTables(
        _ rules: RuleSet, _ connection: PostgresConnection, _ report: inout CoverageReport
    ) async throws {
        let catalog = Catalog(connection: connection)
        let named = Set(rules.tables)
        let written = try await catalog.writtenTables()
        let readers = try await catalog.readers(rules.rules) { rule, error in
            printError("unstale: what '\(rule.name.value)' reads is not known: \(escaped("\(error)"))")
        }
        report.countsWrites = try await catalog.countsWrites()
        report.readTables = readers.filter { !written.concerns($0.key, named) }.map { table, rules in
            CoverageReport.Table(table: table.description, writes: written.writes(to: table), readBy: rules)
        }.sorted()
        report.unnamedTables = written.writes(without: named).filter { readers[$0.key] == nil }.map { table, writes in
            CoverageReport.Table(table: table.description, writes: writes, readBy: [])
        }.sorted()
    }

    private func examineKeys(
        _ rules: [Rule], _ connections: RedisConnections, _ report: inout CoverageReport
    ) async throws {
        let limit = all ? Int.max : sample ?? 10_000
        var total: Int? = 0
        for connection in connections.all {
            let count = try await connection.keyCount()
            total = total.flatMap { total in count.map { total + $0 } }
        }
        var coverage = KeyCoverage(rules)
        var isSample = false
        var bar = ProgressBar("looking at keys")
        defer { bar.erase() }
        for connection in connections.all where !isSample {
            var scan = try await KeyScan(connection)
            // One page more than needed tells whether that was all.
            while !isSample, let page = try await scan.next(limit: max(1, limit - coverage.count)) {
                for key in page {
                    guard coverage.count < limit else {
                        isSample = true
                        break
                    }
                    coverage.add(key)
                }
                bar.show(coverage.count, of: total.map { min($0, limit) })
            }
        }
        report.take(coverage, inRedis: total, isSample: isSample)
    }
}
