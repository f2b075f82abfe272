import Admin
import ArgumentParser
import Capture
import Delivery
import Glibc
import Logging
import Postgres
import Rules
import ServiceLifecycle
import UnixSignals
import Worker

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs the worker until SIGTERM or SIGINT.",
        discussion: "It waits for a Postgres or a Redis that can't be reached. A second worker stands by.")

    @OptionGroup var options: SettingsOptions
    @OptionGroup var capture: CaptureOptions
    @OptionGroup var adminOptions: AdminOptions

    @Flag(help: "Install the capture first.")
    var install = false

    @Option(
        help: ArgumentHelp(
            "How long what is in flight may take to finish at the end [UNSTALE_GRACE_PERIOD, grace.period]; "
                + "default: 10s."))
    var gracePeriod: String?

    @Option(
        help: ArgumentHelp(
            "Attempts of an action that fails, the first included [UNSTALE_ATTEMPTS, attempts]; default: 5."))
    var attempts: String?

    @Flag(help: "Fence every delete, whatever the rules say [UNSTALE_FENCE, fence].")
    var fence = false

    @Flag(help: "Read the rules anew when their files change; SIGHUP does it too [UNSTALE_WATCH, watch].")
    var watch = false

    func run() async throws {
        // Whoever says that the rules have changed, or the log level is to, before we listen is not to end us.
        for number in [SIGHUP, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        var flags = capture.flags.merging(adminOptions.flags) { $1 }
        if watch { flags["watch"] = "true" }
        flags["grace.period"] = gracePeriod
        flags["attempts"] = attempts
        if fence { flags["fence"] = "true" }
        let settings = try Settings(options, flags)
        // Both before the rules are read: whatever changes after that is read anew, however long the start takes.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let versions = RuleSet.versions(of: settings.rulesPath)
        let rules = try settings.rules()
        let log = try settings.log()
        let logger = log.logger("unstale")
        defer { log.flush() }
        let signals = await UnixSignalsSequence(trapping: LogLevelSignals.signals)
        let admin = try settings.admin()
        let metrics = PrometheusMetrics()
        // Before there is anything that counts.
        if admin != nil { metrics.bootstrap() }
        var worker = WorkerSettings(postgres: try settings.postgres())
        worker.gracePeriod = try settings.duration("grace.period", default: worker.gracePeriod)
        worker.pace = try settings.duration("pace", default: worker.pace)
        worker.captureCheckInterval = try settings.duration(
            "check.interval", default: worker.captureCheckInterval)
        worker.listen = try settings.listen()
        worker.outboxLimit = try settings.size("outbox.limit", default: worker.outboxLimit)
        worker.recentChanges = admin == nil ? 0 : 300
        let targets = try settings.targets()
        let (captureSettings, lockTimeout) = (try settings.capture(), try settings.lockTimeout())
        if install {
            let connection = try await PostgresConnection.connect(worker.postgres)
            let steps = try await Installer(connection: connection, lockTimeout: lockTimeout)
                .install(rules, captureSettings, workerRole: settings.text("worker.role"))
            for step in steps { logger.info("Installed", metadata: ["step": "\(step)"]) }
        }
        logger.notice(
            "Starting",
            metadata: [
                "version": "\(Unstale.configuration.version)", "rules": "\(rules.rules.count)",
                "files": "\(Self.files(of: rules))", "redis": "\(targets.map { "\($0.url)" }.joined(separator: ", "))",
            ])
        let service = Worker(rules: rules.rules, settings: worker, targets: targets, logger: logger)
        let reload = RulesReload(
            path: settings.rulesPath, targets: targets.map(\.name), postgres: worker.postgres, listen: worker.listen,
            worker: service, watches: try settings.truth("watch"), signals: hangups, versions: versions, logger: logger)
        // In the opposite order they are told to stop.
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: log),
            .init(service: LogLevelSignals(signals, log: log)),
            .init(service: reload),
            .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup),
        ]
        if let admin {
            let source = AdminSource(
                service, version: Unstale.configuration.version, postgres: worker.postgres, metrics: metrics,
                logLevel: { log.levels.level },
                setLogLevel: { level in
                    log.levels.set(level)
                    log.changed(to: level)
                })
            let server = AdminServer(admin, source: source, logger: logger)
            try await server.open()
            // It ends last, so that it can be seen how the worker ends.
            services.insert(.init(service: server), at: 1)
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        logger.notice("Stopped")
    }

    /// The files that the rules are in, or how many, where they would make the line long.
    private static func files(of rules: RuleSet) -> String {
        let files = Set(rules.rules.map(\.location.file)).sorted()
        return files.count <= 4 ? files.joined(separator: ", ") : "\(files.count) files"
    }
}
