import Admin
import ArgumentParser
import AsyncHTTPClient
import FoundationEssentials
import Glibc
import Worker

struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Shows changes as they are served, and what came of them.",
        discussion: "It asks a worker that was started with --admin, and waits for it when it is started anew.")

    @OptionGroup var options: SettingsOptions

    @Option(help: ArgumentHelp("Only what is served to this target.", valueName: "name"))
    var target: String?

    @Flag(help: "Print a JSON object a line.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "The worker's admin port, as URL or host:port [UNSTALE_ADMIN, admin]; default: http://127.0.0.1:9464.",
            valueName: "url"))
    var admin: String?

    @Option(
        help: ArgumentHelp(
            "File with the token, where one is needed [UNSTALE_ADMIN_TOKEN_FILE, admin.token.file].",
            valueName: "file"))
    var adminTokenFile: String?

    func run() async throws {
        let flags = ["admin.token.file": adminTokenFile].compactMapValues { $0 }
        let settings = try Settings(options, flags)
        let url = try Self.url(admin ?? settings.text("admin") ?? "127.0.0.1:9464")
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        // The worker says something every 15 s.
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(40))
        configuration.httpVersion = .http1Only
        // Whether to try again is for us to say.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroup: .singletonMultiThreadedEventLoopGroup, configuration: configuration)
        let tail = ChangeTail(
            client: client, url: url, token: try settings.adminTokenText(), isJSON: json, target: target,
            line: ChangeLine(hasColours: StandardOutput.hasColours(ProcessInfo.processInfo.environment)))
        do {
            try await tail.run()
        } catch {
            try await client.shutdown()
            // Whoever read it has seen enough.
            guard error is StandardOutput.IsClosed else { throw error }
            return
        }
        try await client.shutdown()
    }

    /// What `run --admin` is given, as a URL: one that listens everywhere is reached here.
    private static func url(_ text: String) throws(Failure) -> String {
        if text.hasPrefix("http://") || text.hasPrefix("https://") {
            return text.hasSuffix("/") ? String(text.dropLast()) : text
        }
        guard var address = AdminAddress(text) else {
            throw Failure(
                .badSettings, "admin: '\(escaped(text))' is neither a URL nor an address such as 127.0.0.1:9464")
        }
        if address.host == "0.0.0.0" { address.host = "127.0.0.1" }
        if address.host == "::" { address.host = "::1" }
        return "http://\(address)"
    }
}
