import ArgumentParser
import Glibc

/// The command line.
@main
struct Unstale: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unstale",
        abstract: "Keeps a Redis cache true to a Postgres database.",
        version: "0.1.0",
        // Each says what it is called: to make that of a type takes some ms of every start.
        subcommands: [
            Run.self, Check.self, Test.self, Install.self, Uninstall.self, Explain.self,
            Coverage.self, DeadLettersCommand.self,
            Status.self, ReplayCommand.self, TargetsCommand.self, Tail.self,
        ])

    static func main() async {
        // Writing to a peer that is gone is an error to handle, not a reason to die.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Failure(error).exit()
        }
    }
}
