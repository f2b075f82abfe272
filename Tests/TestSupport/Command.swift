import Subprocess

/// Runs a short command to its end and gives what it printed; throws with its stderr when it fails.
@discardableResult
public func command(_ name: String, _ arguments: [String]) async throws -> String {
    let result = try await Subprocess.run(
        .name(name), arguments: Arguments(arguments),
        output: .string(limit: 1 << 20), error: .string(limit: 1 << 16))
    guard result.terminationStatus.isSuccess else {
        throw TestError("\(name) \(arguments.joined(separator: " ")): \(result.standardError)")
    }
    return result.standardOutput
}
