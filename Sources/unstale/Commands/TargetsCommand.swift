import ArgumentParser
import Postgres

struct TargetsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "targets", abstract: "Handles what the database remembers of targets.",
        subcommands: [Forget.self])

    struct Forget: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "forget",
            abstract: "Forgets a target that is not configured any more: its cursor and its failed actions.",
            discussion: """
                Until then changes are kept for it in Postgres, up to the limit of the outbox. Run it as the owner of \
                the schema unstale: the worker's role may not.
                """)

        @OptionGroup var options: SettingsOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            let settings = try Settings(options)
            guard try !settings.targets().map(\.name).contains(name) else {
                throw Failure(
                    .badSettings, "the target '\(escaped(name))' is configured: take it out of the settings first")
            }
            let connection = try await settings.connectToCapture()
            let rows = try await connection.query(
                """
                WITH letters AS (DELETE FROM unstale.dead_letters WHERE target = $1 RETURNING 1),
                targets AS (DELETE FROM unstale.targets WHERE name = $1 RETURNING 1)
                SELECT (SELECT count(*) FROM targets), (SELECT count(*) FROM letters)
                """, [.text(name)], doing: "forgetting a target")
            let (targets, letters) = (rows.first?.int(0) ?? 0, rows.first?.int(1) ?? 0)
            guard targets + letters > 0 else {
                let known = try await connection.query(
                    "SELECT name FROM unstale.targets", doing: "reading the targets")
                throw Failure(.badSettings, unknown("target", name, among: known.compactMap { $0.text(0) }))
            }
            print("forgotten: \(escaped(name)), and \(letters) failed action\(letters == 1 ? "" : "s") of its")
        }
    }
}
