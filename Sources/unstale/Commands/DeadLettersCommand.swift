import ArgumentParser
import Delivery
import Postgres

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Shows and handles actions that failed on their own account.",
        subcommands: [List.self, Show.self, Redrive.self, Discard.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists them, those that are still tried included.")
        @OptionGroup var options: SettingsOptions
        @Option(help: ArgumentHelp("Only those of this target.", valueName: "name")) var target: String?

        func run() async throws {
            let letters = try await open(options).all().filter { target == nil || $0.target == target }
            let hasSeveral = Set(letters.map(\.target) + (try Settings(options).targets().map(\.name))).count > 1
            guard !letters.isEmpty else { return print("no dead letters") }
            for letter in letters {
                let state = letter.nextAttemptAt.map { "tried again at \($0)" } ?? "dead"
                let rule = letter.rule + (hasSeveral ? " at \(letter.target)" : "")
                print("\(letter.id)\t\(rule)\t\(state)\t\(letter.attempts) attempts\t\(escaped(letter.error))")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows one whole.")
        @OptionGroup var options: SettingsOptions
        @Argument(help: "Its number.") var id: Int

        func run() async throws {
            guard let letter = try await open(options).letter(id) else {
                throw Failure(.failure, "there is no dead letter \(id)")
            }
            print(
                """
                id: \(letter.id)
                target: \(letter.target)
                rule: \(letter.rule)
                action: \(escaped(letter.action))
                error: \(escaped(letter.error))
                attempts: \(letter.attempts)
                failed first: \(letter.createdAt)
                next attempt: \(letter.nextAttemptAt ?? "none, it is dead")
                """)
        }
    }

    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "redrive",
            abstract: "Has the worker try them again, within seconds.")
        @OptionGroup var options: SettingsOptions
        @OptionGroup var which: Selection

        func run() async throws {
            let letters = try await open(options)
            try await which.change("redriven") { try await letters.redrive($0) }
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "discard",
            abstract: "Throws them away: their keys may stay stale.")
        @OptionGroup var options: SettingsOptions
        @OptionGroup var which: Selection

        func run() async throws {
            let letters = try await open(options)
            try await which.change("discarded") { try await letters.discard($0) }
        }
    }

    /// Some by number, or all that are dead.
    struct Selection: ParsableArguments {
        @Argument(help: "Their numbers.") var numbers: [Int] = []
        @Flag(help: "All that are dead.") var all = false

        func validate() throws {
            guard all != !numbers.isEmpty else {
                throw ValidationError("name dead letters by number, or give --all")
            }
        }

        /// Has them changed, and prints how many were: each counts once. Fails where some are not there, which doesn't
        /// keep it from the others.
        func change(_ done: String, by change: ([Int]?) async throws -> Int) async throws {
            guard !all else {
                let count = try await change(nil)
                return print("\(done): \(count)")
            }
            let ids = Set(numbers).sorted()
            var missing: [Int] = []
            for id in ids {
                // One by one, for all that is told of several is how many there were.
                if try await change([id]) == 0 { missing.append(id) }
            }
            print("\(done): \(ids.count - missing.count)")
            guard let first = missing.first else { return }
            guard missing.count > 1 else { throw Failure(.failure, "there is no dead letter \(first)") }
            let list = missing.map { "\($0)" }.joined(separator: ", ")
            throw Failure(.failure, "there are no dead letters \(list)")
        }
    }
}

private func open(_ options: SettingsOptions) async throws -> DeadLetters {
    DeadLetters(connection: try await Settings(options).connectToCapture())
}
