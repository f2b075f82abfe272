import ArgumentParser
import Capture
import Postgres
import Rules

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks the rules; given a database, also against its tables and the installed capture.")

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        let settings = try Settings(options)
        let rules = try settings.rules()
        guard settings.hasDatabase else {
            return print(
                "\(rules.rules.count) rules are well-formed; no database was given to check them against")
        }
        let connection = try await PostgresConnection.connect(settings.postgres())
        let listening = try settings.listening()
        _ = try await RulesCheck.run(rules, listen: listening?.channels ?? [], connection)
        let capture = try await CaptureState.read(rules.rules, listening: listening, connection)
        // No mistake, for rules come and go, but perhaps a slip.
        for table in listening?.channels.flatMap({ $0.tables ?? [] }) ?? [] where !rules.tables.contains(table) {
            let question = rules.tables.map(\.description).nearest(to: table.description).map {
                "; did you mean '\($0)'?"
            }
            printError("unstale: 'listen' names \(table), which no rule does\(question ?? "")")
        }
        guard capture.problems.isEmpty else {
            throw Failure(.failure, capture.problems.map { "degraded: \($0.reason)" })
        }
        print("\(rules.rules.count) rules fit the database, and the capture is up to date")
        guard !capture.listened.isEmpty else { return }
        print("told by notifications, at most once: \(capture.listened.map(\.description).joined(separator: ", "))")
    }
}

struct Test: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Runs the tests in the rules files. No server is needed.")

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        let settings = try Settings(options)
        // The targets are elsewhere, perhaps.
        let outcomes = try settings.rules(checksTargets: settings.file != nil).runTests()
        for outcome in outcomes where !outcome.passed {
            printError("\(outcome.location): failed: \(outcome.name)")
            for key in outcome.missing { printError("    missing: \(key)") }
            for key in outcome.unexpected { printError("    unexpected: \(key)") }
        }
        let failed = outcomes.count { !$0.passed }
        print("\(outcomes.count - failed) passed, \(failed) failed")
        if failed > 0 { throw ExitCode(Failure.Code.badRules.rawValue) }
    }
}
