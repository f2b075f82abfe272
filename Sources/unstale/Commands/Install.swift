import ArgumentParser
import Capture
import Postgres

struct Install: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Installs the capture that the rules need, or brings it up to date.",
        discussion:
            "Run it as the owner of the tables. It is one transaction; what is as it should be is left alone."
    )

    @OptionGroup var options: SettingsOptions
    @OptionGroup var capture: CaptureOptions

    @Flag(help: "Print the SQL and change nothing.")
    var print = false

    @Flag(
        help: "Print what differs between the installed capture and what the rules need, and change nothing.")
    var diff = false

    func validate() throws {
        guard !(print && diff) else { throw ValidationError("--print and --diff exclude each other") }
    }

    func run() async throws {
        let settings = try Settings(options, capture.flags)
        // Triggers record for all targets alike.
        let rules = try settings.rules(checksTargets: false)
        let captureSettings = try settings.capture()
        let role = settings.text("worker.role")
        let lockTimeout = try settings.lockTimeout()
        let connection = try await PostgresConnection.connect(settings.postgres())
        let installer = Installer(connection: connection, lockTimeout: lockTimeout)
        if print || diff {
            let preview = try await installer.preview(rules, captureSettings, workerRole: role)
            guard !preview.summaries.isEmpty else {
                return Swift.print(print ? "-- nothing to do" : "no difference")
            }
            Swift.print(print ? preview.sql : preview.summaries.joined(separator: "\n"))
        } else {
            let steps = try await installer.install(rules, captureSettings, workerRole: role)
            Swift.print(steps.isEmpty ? "nothing to do" : steps.joined(separator: "\n"))
        }
    }
}

struct Uninstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall",
        abstract: "Removes the capture: triggers, functions, rights, and the schema unstale.")

    @OptionGroup var options: SettingsOptions

    @Option(help: "How long to wait for a table's lock [UNSTALE_LOCK_TIMEOUT, lock.timeout]; default: 5s.")
    var lockTimeout: String?

    func run() async throws {
        let settings = try Settings(options, lockTimeout.map { ["lock.timeout": $0] } ?? [:])
        let timeout = try settings.lockTimeout()
        let connection = try await PostgresConnection.connect(settings.postgres())
        let steps = try await Installer(connection: connection, lockTimeout: timeout).uninstall()
        print(steps.isEmpty ? "nothing to do" : steps.joined(separator: "\n"))
    }
}

extension Settings {
    /// How long install waits for a table's lock.
    func lockTimeout() throws(Failure) -> Duration { try duration("lock.timeout", default: .seconds(5)) }
}
