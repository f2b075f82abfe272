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
