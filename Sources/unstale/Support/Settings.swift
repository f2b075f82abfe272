import Capture
import Configuration
import FoundationEssentials
import Logging
import Postgres
import Redis
import Rules
import Worker

/// The settings of one command: flags, then `UNSTALE_…` environment variables, then the `--config` file.
struct Settings {
    /// All that there are.
    static let names = [
        "admin", "admin.hosts", "admin.token.file", "always", "attempts", "check.interval", "database.url", "fence",
        "grace.period", "lock.timeout", "log.format",
        "log.level", "outbox.limit", "pace", "redis.url", "replay.window", "row.limit", "rules", "wake", "watch",
        "worker.role",
    ]

    /// The lists of the `--config` file that have a form of their own.
    static let sections = ["targets", "listen"]

    /// The `--config` file; nil: there is none.
    let file: SettingsFile?
    private let reader: ConfigReader
    private let environment = ProcessInfo.processInfo.environment

    init(_ options: SettingsOptions, _ flags: [String: String] = [:]) throws(Failure) {
        file = try options.config.map { path throws(Failure) in try SettingsFile(path) }
        let secrets = SecretsSpecifier<String, String>.specific([
            "UNSTALE_ADMIN_TOKEN", "UNSTALE_DATABASE_URL", "UNSTALE_REDIS_URL",
        ])
        var providers: [any ConfigProvider] = [
            Self.provider(options.flags.merging(flags) { $1 }),
            EnvironmentVariablesProvider(secretsSpecifier: secrets).prefixKeys(with: "unstale"),
        ]
        if let file { providers.append(Self.provider(file.values)) }
        reader = ConfigReader(providers: providers)
    }

    private static func provider(_ values: [String: String]) -> InMemoryProvider {
        let values = values.map { key, value in
            (
                AbsoluteConfigKey(key.split(separator: ".").map(String.init)),
                ConfigValue(.string(value), isSecret: key.hasSuffix("url"))
            )
        }
        return InMemoryProvider(values: Dictionary(values) { $1 })
    }

    /// A text; an empty one counts as left out.
    func text(_ key: String) -> String? {
        let key = ConfigKey(key.split(separator: ".").map(String.init))
        return reader.string(forKey: key).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A number, at least `minimum`.
    func number(_ key: String, default value: Int, minimum: Int = 1) throws(Failure) -> Int {
        guard let text = text(key) else { return value }
        guard let number = Int(text), number >= minimum else {
            throw Failure(.badSettings, "\(key): '\(text)' is no number from \(minimum) up")
        }
        return number
    }

    /// A size as the rules write them: 512KiB, 1GiB.
    func size(_ key: String, default value: Int) throws(Failure) -> Int {
        guard let text = text(key) else { return value }
        guard let size = parseSize(text) else {
            throw Failure(.badSettings, "\(key): '\(text)' is no size such as 512MiB or 1GiB")
        }
        return size
    }

    /// A duration as the rules write them: 250ms, 5s, 15m.
    func duration(_ key: String, default value: Duration) throws(Failure) -> Duration {
        guard let text = text(key) else { return value }
        guard let duration = Duration(ruleText: text) else {
            throw Failure(.badSettings, "\(key): '\(text)' is no duration such as 250ms, 5s or 15m")
        }
        return duration
    }

    /// Yes or no.
    func truth(_ key: String) throws(Failure) -> Bool {
        switch text(key) {
        case nil, "false": return false
        case "true": return true
        case let text?: throw Failure(.badSettings, "\(key): '\(text)' is neither true nor false")
        }
    }

    private func choice<Value: RawRepresentable & CaseIterable>(
        _ key: String, default value: Value
    ) throws(Failure) -> Value where Value.RawValue == String {
        guard let text = text(key) else { return value }
        guard let choice = Value(rawValue: text) else {
            let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.badSettings, "\(key): '\(text)' is none of \(choices)")
        }
        return choice
    }

    // MARK: What commands ask for

    /// How to reach the database.
    func postgres() throws(Failure) -> PostgresSettings {
        let settings = PostgresSettings(connection: text("database.url") ?? "")
        if let mistake = settings.mistake { throw Failure(.badSettings, "database.url: \(mistake)") }
        return settings
    }

    /// Whether a database was named at all.
    var hasDatabase: Bool {
        text("database.url") != nil
            || ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT"].contains {
                environment[$0] != nil
            }
    }

    /// Where the rules are.
    var rulesPath: String { text("rules") ?? "rules" }

    /// The rules.
    ///
    /// - Parameter checksTargets: Whether each target that they name has to be there.
    func rules(checksTargets: Bool = true) throws -> RuleSet {
        try checksTargets ? RuleSet.load(rulesPath, targets: targets().map(\.name)) : RuleSet.load([rulesPath])
    }

    /// What install needs to know.
    func capture() throws(Failure) -> CaptureSettings {
        CaptureSettings(
            wake: try choice("wake", default: .notify),
            replayWindow: try duration("replay.window", default: .seconds(900)),
            rowLimit: try number("row.limit", default: 50_000), always: try truth("always"),
            listen: try listen())
    }

    /// The log, to stderr.
    func log() throws(Failure) -> LogOutput {
        let level = try choice("log.level", default: Logger.Level.info)
        let format = try choice("log.format", default: LogFormat.text)
        return LogOutput(format, levels: LogLevelSwitch(level), write: printError)
    }
}

extension RuleSet {
    /// The rules of a file or a folder, for these targets.
    static func load(_ path: String, targets: [String]) throws -> RuleSet {
        let rules = try load([path])
        let mistakes = rules.validate(targets: targets)
        guard mistakes.isEmpty else { throw RulesError(diagnostics: mistakes) }
        return rules
    }
}
