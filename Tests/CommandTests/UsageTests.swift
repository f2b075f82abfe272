import TestSupport
import Testing

/// The command line itself: help, version, and exit code 64 for what it doesn't understand.
@Suite struct UsageTests {
    private static let commands = [
        ["run"], ["check"], ["test"], ["install"], ["uninstall"], ["explain"], ["status"], ["coverage"],
        ["dead-letters"],
        ["dead-letters", "list"], ["dead-letters", "show"], ["dead-letters", "redrive"],
        ["dead-letters", "discard"],
    ]

    @Test func version() async throws {
        let outcome = try await unstale("--version")
        #expect(outcome.code == 0)
        #expect(outcome.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
        #expect(outcome.errors == [])
    }

    /// Shells take the completions, and they know each command.
    @Test(arguments: ["bash", "zsh", "fish"]) func completions(shell: String) async throws {
        let outcome = try await unstale("--generate-completion-script", shell)
        #expect(outcome.code == 0 && outcome.errors == [])
        for command in Self.commands { #expect(outcome.output.contains(command[0])) }
        for word in ["coverage", "--sample", "--log-level"] {
            #expect(outcome.output.contains(word.drop { $0 == "-" }))
        }
        let isInstalled = try await command("sh", ["-c", "command -v \(shell) || true"]) != ""
        guard isInstalled else { return }
        try await withFolder { folder in
            try write(outcome.output, to: folder + "/completions")
            try await command(shell, ["-n", folder + "/completions"])
        }
    }

    @Test func help() async throws {
        for arguments in [["--help"], ["-h"], ["help"], []] {
            let program = try Program(arguments)
            #expect(try await program.end() == 0)
            for command in Self.commands { #expect(program.output.contains(command[0])) }
            #expect(program.lines == [])
        }
    }

    @Test(arguments: commands) func help(command: [String]) async throws {
        let program = try Program(command + ["--help"])
        #expect(try await program.end() == 0)
        #expect(program.output.contains("USAGE: unstale \(command.joined(separator: " "))"))
        if command != ["dead-letters"] { #expect(program.output.contains("UNSTALE_DATABASE_URL")) }
        #expect(program.lines == [])
    }

    @Test(arguments: [
        (["frobnicate"], "Unexpected argument 'frobnicate'"),
        (["--frobnicate"], "Unknown option '--frobnicate'"),
        (["run", "now"], "Unexpected argument 'now'"),
        (["run", "--graceperiod", "5s"], "Unknown option '--graceperiod'"),
        (["run", "--attempts"], "Missing value for '--attempts <attempts>'"),
        (["check", "--database-url"], "Missing value for '--database-url <url>'"),
        (["install", "--print", "--diff"], "--print and --diff exclude each other"),
        (
            ["install", "--always=yes"],
            "The option '--always' does not take any value, but 'yes' was specified."
        ),
        (["explain"], "give either --sql or --key"),
        (["explain", "--sql", "SELECT", "--key", "a"], "give either --sql or --key"),
        (["dead-letters", "show"], "Missing expected argument '<id>'"),
        (["dead-letters", "show", "x"], "The value 'x' is invalid for '<id>'"),
        (["dead-letters", "redrive"], "name dead letters by number, or give --all"),
        (["dead-letters", "redrive", "1", "--all"], "name dead letters by number, or give --all"),
        (["dead-letters", "discard"], "name dead letters by number, or give --all"),
        (["dead-letters", "discard", "1x"], "The value '1x' is invalid for '<numbers>'"),
        (["status", "--yaml"], "Unknown option '--yaml'"),
        (["coverage", "--all", "--sample", "9"], "--sample and --all exclude each other"),
        (["coverage", "--sample", "0"], "--sample takes a number from 1 up"),
        (["coverage", "--sample", "many"], "The value 'many' is invalid for '--sample <number>'"),
    ]) func misuse(arguments: [String], message: String) async throws {
        let program = try Program(arguments)
        #expect(try await program.end() == 64)
        #expect(program.output == "")
        #expect(program.lines.first?.hasPrefix("Error: " + message) == true, "\(program.lines)")
        #expect(program.lines.count { $0.hasPrefix("Error: ") } == 1)
        #expect(program.lines.count <= 4, "the mistake, and where help is: \(program.lines)")
    }
}
