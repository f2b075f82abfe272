import FoundationEssentials
import TestSupport

/// Prometheus' program that checks what it is to read; `Tests/run` installs it.
enum Promtool {
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool") }

    /// Throws with what it says.
    static func check(_ metrics: String) async throws {
        let path = try TestEnvironment.directory + "/metrics-" + String(UInt64.random(in: 0 ... .max), radix: 36)
        try metrics.write(toFile: path, atomically: false, encoding: .utf8)
        try await command("bash", ["-c", "promtool check metrics < \(path)"])
    }
}
