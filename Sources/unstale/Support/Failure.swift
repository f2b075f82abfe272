import Admin
import ArgumentParser
import Capture
import Configuration
import Glibc
import Postgres
import Redis
import Rules

/// What a command ends with: lines for a person, and an exit code of sysexits.h.
struct Failure: Error {
    /// The exit codes of the manual.
    enum Code: Int32 {
        case failure = 1, badRules = 65, unavailable = 69, badSettings = 78
    }

    private let code: Int32
    private let lines: [String]
    private let parserError: (any Error)?

    init(_ code: Code, _ lines: [String]) {
        self.code = code.rawValue
        self.lines = lines.map { "unstale: \($0)" }
        parserError = nil
    }

    init(_ code: Code, _ line: String) { self.init(code, [line]) }

    /// What an error means to the person who ran the command.
    init(_ error: any Error) {
        var parserError: (any Error)?
        switch error {
        case let failure as Failure:
            self = failure
            return
        case let rules as RulesError:
            // As compilers write them, so that editors find the place.
            (code, lines) = (Code.badRules.rawValue, rules.diagnostics.map(\.description))
        case let postgres as PostgresError:
            (code, lines) = (Self.code(of: postgres), ["unstale: \(postgres)"])
        case let redis as RedisError: (code, lines) = (Code.unavailable.rawValue, ["unstale: \(redis)"])
        case let admin as AdminError:
            let code = admin.code == .taken ? Code.unavailable : .badSettings
            (self.code, lines) = (code.rawValue, ["unstale: admin: \(admin)"])
        case let exit as ExitCode: (code, lines) = (exit.rawValue, [])
        default:
            // What is wrong with the command line itself, and --help.
            (code, lines) = (Unstale.exitCode(for: error).rawValue, [])
            parserError = error
        }
        self.parserError = parserError
    }

    private static func code(of error: PostgresError) -> Int32 {
        switch error.code {
        case .connect, .disconnected, .timeout, .cancelled: Code.unavailable.rawValue
        // Somebody else has the lock: trying again later helps.
        case .server(sqlState: "55P03"): Code.unavailable.rawValue
        case .server: error.isServerTrouble ? Code.unavailable.rawValue : Code.badSettings.rawValue
        }
    }

    /// Ends the process.
    func exit() -> Never {
        if let parserError { Unstale.exit(withError: parserError) }
        for line in lines { printError(line) }
        Glibc.exit(code)
    }
}

/// Writes a line to stderr.
func printError(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
