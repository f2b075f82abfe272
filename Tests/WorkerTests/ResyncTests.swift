import Capture
import Delivery
import Logging
import Postgres
import Redis
import Rules
import TestSupport
import Testing

@testable import Worker

/// A target that the outbox can't wait for any longer, and what brings it back.
@Suite struct ResyncTests {
    /// So little that every record is past it, and a window that ends while a test runs.
    private static let install = ["--replay-window", "6s"]

    /// Lends a worker in this process, which leads, and which an outbox of any size is too large for.
    private func withWorker(
        of site: Site, _ targets: TwoTargets, resync: TargetSettings.Resync, _ body: (Worker) async throws -> Void
    ) async throws {
        try await site.withWorkerInside(
            [
                TargetSettings(name: "a", url: try targets.serverA.url(), resync: resync),
                TargetSettings(name: "b", url: try targets.serverB.url(), resync: resync),
            ],
            change: { settings in
                settings.reclaimInterval = .milliseconds(200)
                settings.outboxLimit = 1
            }, body)
    }

    /// Changes users 1 to 10 while `b` stands still, until it needs a resync and the outbox is empty.
    private func fallBehind(_ site: Site, _ targets: TwoTargets, _ worker: Worker) async throws {
        try await site.change(1...1)
        try await targets.b.waitUntilGone([1])
        try targets.serverB.pause()
        try await site.change(2...10)
        try await targets.a.waitUntilGone(2...10)
        try await eventually("b needs a resync") { worker.status.targets[1].needsResync }
        try await eventually("no record is kept for it") {
            try await site.connect().value("SELECT count(*) FROM unstale.outbox") == "0"
        }
        let (a, b) = try await (site.target("a"), site.target("b"))
        #expect(a?.needsResync == false && b?.needsResync == true)
        #expect(!worker.status.targets[0].needsResync)
        try await site.change(11...11)
        try await targets.a.waitUntilGone([11])
        #expect(try await site.unstale(["status"]).contains("state: needs a resync"))
    }

    /// All rows have counted as changed at `b`, and none at `a` but those that did change; all goes on.
    private func expectResync(_ site: Site, _ targets: TwoTargets, _ worker: Worker) async throws {
        try await targets.b.waitUntilGone(1...200)
        try await eventually("b needs no resync") {
            guard try await site.target("b")?.needsResync == false else { return false }
            return !worker.status.targets[1].needsResync
        }
        try await site.waitUntilServed()
        try await targets.a.expectUntouched(12...200)
        try await targets.b.cacheUsers()
        try await site.change(12...12)
        try await targets.b.waitUntilGone([12])
        try await site.waitUntilServed()
        try await targets.b.expectUntouched(13...200)
    }

    @Test func asSoonAsItIsBack() async throws {
        try await Site.withTwoTargets(install: Self.install) { site, targets in
            try await withWorker(of: site, targets, resync: .anyRow) { worker in
                try await fallBehind(site, targets, worker)
                try targets.serverB.resume()
                try await expectResync(site, targets, worker)
            }
        }
    }

    /// A Redis that comes back with what it had before the resync has that resync too.
    @Test func redisForgetsIt() async throws {
        try await Site.withTwoTargets(install: Self.install) { site, targets in
            try await targets.b.cache().send("SAVE")
            try await withWorker(of: site, targets, resync: .anyRow) { worker in
                try await fallBehind(site, targets, worker)
                try targets.serverB.resume()
                try await targets.b.waitUntilGone(1...200)
                try await site.waitUntilServed()
                try await targets.serverB.kill9()
                try await targets.serverB.start()
                try await targets.b.waitUntilGone(1...200)
            }
        }
    }

    @Test func whenItIsOrdered() async throws {
        try await Site.withTwoTargets(install: Self.install) { site, targets in
            try await withWorker(of: site, targets, resync: .manual) { worker in
                try await fallBehind(site, targets, worker)
                try targets.serverB.resume()
                try await eventually("b is there") { worker.status.targets[1].state == .connected }
                // An order for others is none for it.
                try await site.unstale(["replay", "--all", "--target", "a"])
                try await targets.a.waitUntilGone(1...200)
                try await targets.a.cacheUsers()
                try await targets.b.expectUntouched(12...200)
                #expect(worker.status.targets[1].needsResync)
                try await site.unstale(["replay", "--all", "--target", "b"])
                try await expectResync(site, targets, worker)
            }
        }
    }

    /// It is stored before the first record is gone, so the next worker knows it too; and what it began, it begins again.
    @Test(arguments: [TargetSettings.Resync.anyRow, .manual])
    func anotherWorker(resync: TargetSettings.Resync) async throws {
        try await Site.withTwoTargets(install: Self.install) { site, targets in
            try await withWorker(of: site, targets, resync: resync) { worker in
                try await fallBehind(site, targets, worker)
            }
            if resync == .manual { try await site.unstale(["replay", "--all"]) }
            try await withWorker(of: site, targets, resync: resync) { worker in
                #expect(worker.status.targets[1].needsResync)
                if resync == .manual {
                    try await targets.a.waitUntilGone(1...200)
                    try await targets.a.cacheUsers()
                }
                try targets.serverB.resume()
                try await expectResync(site, targets, worker)
            }
        }
    }

    /// A target that nobody serves any more keeps nothing for ever.
    @Test func unknownTarget() async throws {
        try await Site.withTwoTargets(install: Self.install) { site, targets in
            try await site.connect().sql(
                "INSERT INTO unstale.targets (name, cursor, cluster) VALUES ('gone', '3:3:', 'c')")
            try await withWorker(of: site, targets, resync: .anyRow) { worker in
                try await site.change(1...5)
                try await eventually("nothing is kept for it") {
                    try await site.connect().value(
                        "SELECT count(*) || ' ' || (SELECT resync FROM unstale.targets WHERE name = 'gone') FROM unstale.outbox"
                    ) == "0 needed"
                }
                #expect(worker.status.targets.allSatisfy { !$0.needsResync })
            }
        }
    }

    /// A Redis may come back without what it was told in the last window before it went away. It needs a resync where
    /// that can't be kept; but not if it is away for a moment, and not while it can be reached.
    @Test(arguments: [(1.3, true, "0 b"), (1.2, true, "1 -"), (1.3, false, "0 -")])
    func awayWithWhatItWasTold(windows: Double, isAway: Bool, outcome: String) async throws {
        try await Site.withUsers(install: OldOutbox.install) { site, _ in
            let outbox = try await OldOutbox(site, changes: 1)
            try await outbox.age(windows)
            let history = ServedHistory(beginningAt: outbox.cursors[0])
            try await outbox.store(
                "b", outbox.cursors[1], WorkerState(pausedReason: isAway ? "away" : nil, history: history))
            #expect(try await outbox.tidy() == outcome)
        }
    }

    /// The cursor of a target that is away goes on while nothing is asked of it. Of several such the one that may come
    /// back with least is declared, and what another needs then is kept until that is declared as well.
    @Test func awayAndAskedNothing() async throws {
        try await Site.withUsers(install: OldOutbox.install) { site, _ in
            let outbox = try await OldOutbox(site, changes: 2)
            try await outbox.age(1.3)
            let (first, second) = (outbox.cursors[0], outbox.cursors[1])
            try await outbox.store("a", outbox.cursors[2], WorkerState())
            // Ageing them was a transaction too, so its cursor is ahead of the other's.
            try await outbox.store(
                "b", outbox.here(), WorkerState(pausedReason: "away", history: ServedHistory(beginningAt: first)))
            try await outbox.store(
                "gone", outbox.cursors[2], WorkerState(history: ServedHistory(beginningAt: second)))
            #expect(try await outbox.tidy() == "2 b")
            #expect(try await outbox.tidy() == "0 b gone")
        }
    }

    /// As long as there is room, what a target had been told when it was taken out of the settings is kept.
    @Test func takenOut() async throws {
        try await Site.withUsers(install: OldOutbox.install) { site, _ in
            let outbox = try await OldOutbox(site, changes: 1, limit: 1 << 30)
            try await outbox.age(1.3)
            var history = ServedHistory(beginningAt: outbox.cursors[0])
            func time(_ eighths: Double) -> ServerTime {
                ServerTime(microseconds: Int64(eighths / 8 * (OldOutbox.window / .microseconds(1))))
            }
            for eighth in 1...8 {
                history.note(outbox.cursors[1], at: time(Double(eighth)), window: OldOutbox.window)
            }
            try await outbox.store("gone", outbox.cursors[1], WorkerState(history: history))
            for now in [9.5, 16, 80] { #expect(try await outbox.tidy(at: time(now)) == "1 -", "\(now)") }
            // For one that is in them time goes on: that is more than a window ago.
            try await outbox.rename("gone", "b")
            #expect(try await outbox.tidy(at: time(9.5)) == "0 -")
        }
    }

    /// An operator's order is for one target.
    @Test func hold() async throws {
        try await Site.withTwoTargets { site, targets in
            try await withWorker(of: site, targets, resync: .anyRow) { worker in
                #expect(worker.hold(true, target: "b"))
                try await site.change(1...3)
                try await targets.a.waitUntilGone(1...3)
                #expect(worker.status.targets.map(\.isHeld) == [false, true])
                try await eventually("they wait") { worker.status.targets[1].backlog >= 3 }
                try await targets.b.expectUntouched(1...200)
                #expect(worker.hold(false))
                try await targets.b.waitUntilGone(1...3)
            }
        }
    }

    /// Each change is told of once for each target that it concerns.
    @Test func lastChanges() async throws {
        let rules = Users.rules + "\n    targets: [b]\n  - {name: all, table: users, delete: {keys: [\"x:{id}\"]}}"
        try await Site.withTwoTargets(rules: rules) { site, targets in
            let both = try [
                TargetSettings(name: "a", url: targets.serverA.url()),
                TargetSettings(name: "b", url: targets.serverB.url()),
            ]
            try await site.withWorkerInside(both, change: { $0.recentChanges = 10 }) { worker in
                try await site.change(1...1)
                try await eventually("both are done") { worker.changes.all.count { $0.state == .done } == 2 }
                let changes = worker.changes.all.sorted { $0.target < $1.target }
                #expect(changes.map(\.target) == ["a", "b"])
                #expect(changes.map { $0.rules.map(\.rule) } == [["all"], ["user", "all"]])
                #expect(worker.status.targets.map { $0.rules.map(\.name) } == [["all"], ["user", "all"]])
                #expect(worker.status.rules.count == 2)
            }
        }
    }
}

/// Records in the slot that is emptied next, and a worker of the targets `a` and `b` that does nothing but keep house.
private struct OldOutbox: Sendable {
    /// No slot ends while a test runs.
    static let install = ["--replay-window", "90d"]
    static let window = Duration.seconds(90 * 86_400)

    /// Before the first record, and behind each.
    let cursors: [Snapshot]
    private let connection: PostgresConnection
    private let housekeeping: Housekeeping

    init(_ site: Site, changes: Int, limit: Int = 1) async throws {
        let connection = try await site.connect()
        let outbox = Outbox(connection: connection)
        var cursors = [try await outbox.here()]
        for user in 1...changes {
            try await site.change(user...user)
            cursors.append(try await outbox.here())
        }
        let url = try RedisURL(site.redis)
        var settings = WorkerSettings(postgres: PostgresSettings(connection: site.database))
        settings.outboxLimit = limit
        let worker = try Worker(
            rules: RuleSet.load([site.rules]).rules, settings: settings,
            targets: ["a", "b"].map { TargetSettings(name: $0, url: url) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        self.cursors = cursors
        self.connection = connection
        housekeeping = Housekeeping(worker: worker, leadership: Leadership(connection: connection, wake: .notify))
    }

    func here() async throws -> Snapshot { try await Outbox(connection: connection).here() }

    /// From now on all records are so many windows old.
    func age(_ windows: Double) async throws {
        try await connection.sql(
            """
            UPDATE unstale.outbox SET at = now() - make_interval(secs => \(windows * (Self.window / .seconds(1)))),
                slot = (SELECT (date_part('epoch', clock_timestamp())::bigint / slot_seconds + 1) % 5
                    FROM unstale.installation)
            """)
    }

    /// Stores how far a target is.
    func store(_ name: String, _ cursor: Snapshot, _ state: WorkerState) async throws {
        _ = try await connection.query(
            "INSERT INTO unstale.targets (name, cursor, cluster, state) VALUES ($1, $2::pg_snapshot, 'c', $3::jsonb)",
            [.text(name), .text(cursor.description), .text(state.json)], doing: "testing")
    }

    func rename(_ name: String, _ new: String) async throws {
        try await connection.sql("UPDATE unstale.targets SET name = '\(new)' WHERE name = '\(name)'")
    }

    /// Keeps house once; gives how many records are left, and which targets need a resync.
    func tidy(at now: ServerTime = ServerTime(microseconds: 0)) async throws -> String? {
        try await housekeeping.tidy(connection, at: now, window: Self.window)
        return try await connection.value(
            """
            SELECT (SELECT count(*) FROM unstale.outbox) || ' ' || coalesce(string_agg(name, ' ' ORDER BY name), '-')
            FROM unstale.targets WHERE resync = 'needed'
            """)
    }
}
