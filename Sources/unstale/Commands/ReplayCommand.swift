import ArgumentParser
import Capture
import Postgres
import Rules

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Has the worker serve changes once more, or count all rows of a table as changed.",
        discussion: """
            For a Redis that lost deletes, or entries that were filled by mistake. Records are kept for the replay
            window (15 minutes, unless the capture was installed with another); of what is older, --table and --all bring
            all. A target that needs a resync has it by --all.
            """)

    @OptionGroup var options: SettingsOptions

    @Option(help: ArgumentHelp("Changes of the last so much time: 90s, 10m.", valueName: "duration"))
    var since: String?

    @Option(help: ArgumentHelp("All rows of a table; with --since: only its changes.", valueName: "name"))
    var table: String?

    @Flag(help: "All rows of every table that rules are about.")
    var all = false

    @Option(help: ArgumentHelp("Only what this rule asks for.", valueName: "name"))
    var rule: String?

    @Option(help: ArgumentHelp("Only at this target.", valueName: "name"))
    var target: String?

    func validate() throws {
        guard all || since != nil || table != nil else { throw ValidationError("give --since or --table, or --all") }
        guard !all || since == nil && table == nil && rule == nil else {
            throw ValidationError("--all goes with nothing but --target")
        }
    }

    func run() async throws {
        let settings = try Settings(options)
        let rules = try settings.rules()
        let window = try since.map { text throws(Failure) in
            guard let duration = Duration(ruleText: text) else {
                throw Failure(.badSettings, "--since: '\(text)' is no duration such as 90s or 10m")
            }
            return duration
        }
        let table = try table.map { name throws(Failure) in try self.table(name, rules) }
        let names = rules.rules.map(\.name.value)
        if let rule, !names.contains(rule) { throw Failure(.badSettings, unknown("rule", rule, among: names)) }
        let connection = try await settings.connectToCapture()
        if let target {
            let served = try await connection.query("SELECT name FROM unstale.targets", doing: "reading the targets")
            // One that was never served needs no replay, and one that is configured no more gets none.
            let known = served.compactMap { $0.text(0) } + (try settings.targets().map(\.name))
            guard known.contains(target) else {
                throw Failure(.badSettings, unknown("target", target, among: known))
            }
        }
        try checkIsServed(table, rules)
        let scope = Replay.Scope(rule: rule, target: target)
        let replay = Replay(connection: connection)
        let count =
            if let window {
                try await replay.changes(since: window, of: table, for: scope)
            } else if let table {
                try await replay.everything(in: table, for: scope)
            } else {
                try await replay.everything(inAll: tables(rules), for: scope)
            }
        guard count > 0 || table == nil || window != nil else {
            throw Failure(.failure, "table \(self.table ?? "") is not captured: run 'unstale install'")
        }
        print("replayed: \(count) record\(count == 1 ? "" : "s")")
    }

    /// Refuses what concerns no rule: it would be written, and nothing come of it.
    private func checkIsServed(_ table: TableName?, _ rules: RuleSet) throws(Failure) {
        if let rule = rules.rules.first(where: { $0.name.value == self.rule }) {
            let name = escaped(rule.name.value)
            if let table, rule.table.value != table {
                throw Failure(.badSettings, "the rule '\(name)' is about \(rule.table.value), not about \(table)")
            }
            if let target, !rule.concerns(target: target) {
                let targets = rule.targets.map { "'\($0.value)'" }.joined(separator: ", ")
                throw Failure(.badSettings, "the rule '\(name)' is for \(targets), not for '\(escaped(target))'")
            }
        } else if let target, let table, !tables(rules).contains(table) {
            throw Failure(.badSettings, "no rule for the target '\(escaped(target))' is about \(table)")
        }
    }

    /// The tables of the rules that concern the target, each once.
    private func tables(_ rules: RuleSet) -> [TableName] {
        let concerned = rules.rules.filter { rule in target.map { rule.concerns(target: $0) } ?? true }
        return Set(concerned.map(\.table.value)).sorted { $0.description < $1.description }
    }

    /// A table that some rule names, with or without its schema.
    private func table(_ name: String, _ rules: RuleSet) throws(Failure) -> TableName {
        let tables = Set(rules.rules.map(\.table.value))
        let found = tables.first { $0.description == name } ?? tables.first { $0.description == "public." + name }
        guard let found else {
            let known = tables.map(\.description) + tables.filter { $0.schema == "public" }.map(\.name)
            throw Failure(.badSettings, unknown("table", name, among: known.sorted()))
        }
        return found
    }
}
