import ArgumentParser
import Capture
import Delivery
import FoundationEssentials
import Postgres
import Worker

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract:
            "Shows each target's cursor, lag, backlog and dead letters, and whether the capture is up to date."
    )

    @OptionGroup var options: SettingsOptions

    @Option(help: ArgumentHelp("Only this target.", valueName: "name"))
    var target: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// What is printed.
    struct Report: Codable {
        var workerIsRunning: Bool
        var degraded: [String]
        var targets: [TargetStatus]
        /// Targets that are in the database and not in the settings.
        var unknownTargets: [String]
    }

    func run() async throws {
        let settings = try Settings(options)
        let rules = try settings.rules()
        let connection = try await PostgresConnection.connect(settings.postgres())
        let capture = try await CaptureState.read(rules.rules, listening: settings.listening(), connection)
        let isRunning = try await Leadership.isTaken(connection)
        let all = try await TargetStatus.all(connection)
        let configured = try settings.targets().map(\.name)
        if let target, !(configured + all.map(\.target)).contains(target) {
            throw Failure(.badSettings, unknown("target", target, among: configured + all.map(\.target)))
        }
        let targets = all.filter { target == nil || $0.target == target }
        let report = Report(
            workerIsRunning: isRunning,
            // What the database shows now, and what only the running worker has seen.
            degraded: Set(capture.problems.map(\.reason) + (isRunning ? targets.flatMap(\.degraded) : []))
                .sorted(),
            targets: targets, unknownTargets: targets.map(\.target).filter { !configured.contains($0) })
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            show(report)
        }
    }

    private func show(_ report: Report) {
        print("worker: \(report.workerIsRunning ? "running" : "none is running")")
        print("capture: \(report.degraded.isEmpty ? "up to date" : "degraded")")
        for reason in report.degraded { print("    \(escaped(reason))") }
        if report.targets.isEmpty { print("no target has been served yet") }
        for target in report.targets {
            print(
                """
                target \(target.target):
                    state: \(state(of: target, report))
                    cursor: \(target.cursor)
                    lag: \(Int(target.lagSeconds * 1_000)) ms
                    backlog: \(target.backlog) records
                    retrying: \(target.retrying)
                    dead letters: \(target.deadLetters)
                    updated: \(target.updatedAt) by \(target.worker ?? "nobody")
                """)
            if let rewarms = target.rewarms { show(rewarms) }
            if let index = target.index { print("    index: \(escaped(index))") }
        }
    }

    private func show(_ rewarms: RewarmStatistics) {
        print("    re-warmed: \(rewarms.stored) of \(rewarms.loads) loads")
        let deleted = [
            ("cold", rewarms.cold), ("without a value", rewarms.absent), ("too large", rewarms.tooLarge),
            ("superseded", rewarms.superseded), ("over budget", rewarms.overBudget), ("late", rewarms.late),
            ("failed", rewarms.failed),
        ].filter { $0.1 > 0 }
        guard !deleted.isEmpty else { return }
        print("        deleted instead: \(deleted.map { "\($0.1) \($0.0)" }.joined(separator: ", "))")
    }

    /// What a worker stored last says nothing once it has gone.
    private func state(of target: TargetStatus, _ report: Report) -> String {
        if report.unknownTargets.contains(target.target) {
            return
                "unknown: it is not in the settings; 'unstale targets forget \(escaped(target.target))' ends keeping "
                + "changes for it"
        }
        let state =
            report.workerIsRunning
            ? target.pausedReason.map { "paused: \(escaped($0))" } ?? "connected" : "not served"
        guard target.needsResync else { return state }
        return "needs a resync, by 'unstale replay --all' or, with 'resync: any-row', once it is served; \(state)"
    }
}
