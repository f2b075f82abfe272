import FoundationEssentials
import Glibc
import Synchronization
import TestSupport

/// A process of the real `unstale`, the one that was built beside these tests. What it prints goes to files, which
/// can be read at any time.
final class Program: Sendable {
    /// The process' id.
    let pid: pid_t
    private let directory: String
    private let code = Mutex<Int32?>(nil)

    /// Starts it with these arguments, and hardly any environment but the one given.
    init(
        _ arguments: [String], environment: [String: String] = [:], in workingDirectory: String = "/"
    ) throws {
        directory =
            try TestEnvironment.directory + "/unstale-" + String(UInt64.random(in: 0 ... .max), radix: 36)
        mkdir(directory, 0o700)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, directory + "/out", O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(
            &actions, 2, directory + "/err", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        // By the folder's name `Tests/with-servers` finds what a test leaves running.
        let inherited = ["PATH": path, "UNSTALE_TEST_DIR": try TestEnvironment.directory]
        let variables = environment.merging(inherited) { given, _ in given }.map { "\($0)=\($1)" }
        let words = ["env", "-C", workingDirectory, try Self.executable] + arguments
        pid = try Self.withCStrings(words) { argv in
            try Self.withCStrings(variables) { envp in
                var pid: pid_t = 0
                let failure = posix_spawn(&pid, "/usr/bin/env", &actions, nil, argv, envp)
                guard failure == 0 else { throw TestError("unstale: \(String(cString: strerror(failure)))") }
                return pid
            }
        }
    }

    deinit { if exitCode == nil { kill(pid, SIGKILL) } }

    /// What is shipped, if it was built; otherwise what lies beside the executable of the tests and isn't optimized.
    static var executable: String {
        get throws {
            if let program = TestEnvironment.program { return program }
            let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            return tests.prefix(through: tests.lastIndex(of: "/") ?? tests.startIndex) + "unstale"
        }
    }

    // MARK: What it printed

    /// All of its stdout so far.
    var output: String { read("out") }

    /// The lines of its stderr so far.
    var lines: [String] { read("err").split(separator: "\n").map(String.init) }

    /// How many lines of its stderr so far have this text.
    func count(_ text: String) -> Int { lines.count { $0.contains(text) } }

    private func read(_ name: String) -> String {
        String(
            decoding: FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data(), as: UTF8.self)
    }

    // MARK: Its life

    /// Its exit code, or 128 and the number of the signal that ended it; nil while it runs.
    var exitCode: Int32? {
        code.withLock { code in
            if let code { return code }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7f
            code = signal == 0 ? (status >> 8) & 0xff : 128 + signal
            return code
        }
    }

    /// Sends it a signal.
    func signal(_ number: Int32) { if exitCode == nil { kill(pid, number) } }

    /// Waits for its end; returns the exit code.
    @discardableResult
    func end(within deadline: Duration = .seconds(30)) async throws -> Int32 {
        do {
            try await eventually(within: deadline, "end of unstale") { exitCode != nil }
        } catch {
            throw TestError("\(error); it said:\n\(lines.joined(separator: "\n"))")
        }
        return exitCode ?? -1
    }

    /// Waits until so many lines of its stderr have this text.
    func wait(for text: String, count: Int = 1, within deadline: Duration = .seconds(20)) async throws {
        do {
            try await eventually(within: deadline, "'\(text)' in the log, \(count) times") {
                if self.count(text) >= count { return true }
                guard exitCode == nil else { throw TestError("unstale ended with \(exitCode ?? -1)") }
                return false
            }
        } catch {
            throw TestError("\(error); it said:\n\(lines.joined(separator: "\n"))")
        }
    }

    private static func withCStrings<Value>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Value
    ) rethrows -> Value {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return try body(pointers + [nil])
    }
}
