import Capture
import Delivery
import Logging
import Postgres
import Rules

/// A target, and what the worker has and knows of it beyond one session.
struct ServedTarget: Sendable {
    let settings: TargetSettings
    let target: Target
    let sweeper: Sweeper
    let rules: RulesInUse
    let tally: DeliveryTally
    let board: TargetBoard
    let freshness: Freshness
    let monitor: TargetMonitor
    let resync: Resync
    let logger: Logger

    /// A target of a worker with these rules, of which those that concern it are served.
    init(_ settings: TargetSettings, rules: [Rule], postgres: PostgresSettings, logger: Logger) {
        let monitor = TargetMonitor(target: settings.name)
        let tally = DeliveryTally(target: settings.name)
        let target = Target(
            settings.url, name: settings.name, options: settings.options, logger: logger,
            onIdentity: { monitor.reached($0) }, onState: { monitor.changed(to: $0) })
        self.settings = settings
        self.monitor = monitor
        self.tally = tally
        self.target = target
        self.logger = logger
        self.rules = RulesInUse(Self.own(rules, settings.name)) { rules, statistics in
            Rewarmer(
                target, rules: rules, tally: tally, postgres: postgres, sessionSettings: TextSetting.pinAll,
                statistics: statistics, logger: logger)
        }
        sweeper = Sweeper(target, options: settings.sweep, logger: logger)
        board = TargetBoard(target: settings.name)
        freshness = Freshness(target: settings.name)
        resync = Resync(isAutomatic: settings.resync == .anyRow)
    }

    var name: String { settings.name }

    /// Whether what is delivered now arrives.
    var isUsable: Bool { target.state == .connected && !target.isHeld }

    /// Another worker leads: what this one last knew is the other's to tell by now.
    func forgetSession() {
        board.forgetSession()
        freshness.reset()
        resync.reset()
    }

    /// From now on those of these rules are served that concern it.
    func replace(with rules: [Rule]) { self.rules.replace(with: Self.own(rules, name)) }

    /// Keeps its connections, and carries out what is asked of it, until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await target.run() }
            group.addTask { await sweeper.run() }
            group.addTask { await rules.runRewarmers() }
        }
    }

    private static func own(_ rules: [Rule], _ name: String) -> [Rule] { rules.filter { $0.concerns(target: name) } }
}
