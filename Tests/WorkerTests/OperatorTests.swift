import Delivery
import Logging
import Postgres
import Redis
import Rules
import TestSupport
import Testing

@testable import Worker

/// What a worker tells an operator of itself, and the orders that it takes.
@Suite struct OperatorTests {
    /// Lends a worker in this process, which leads.
    private func withWorker(
        of site: Site, _ body: (Worker) async throws -> Void
    ) async throws {
        let target = try TargetSettings(url: RedisURL(site.redis), retry: RetryPolicy(attempts: 2))
        try await site.withWorkerInside(
            [target],
            change: { settings in
                settings.recentChanges = 300
                settings.captureCheckInterval = .milliseconds(200)
            }, body)
    }

    @Test func figures() async throws {
        try await Site.withUsers { site, _ in
            try await withWorker(of: site) { worker in
                #expect(worker.status.targets[0].name == "default" && worker.status.rules.count == 1)
                try await site.change(1...7)
                try await site.waitUntilGone(1...7)
                try await eventually("all is counted") { worker.status.targets[0].totals.keysDeleted == 7 }
                let target = worker.status.targets[0]
                #expect(target.state == .connected && target.reason == nil && !target.isHeld)
                #expect(target.rules.map(\.name) == ["user"])
                #expect(target.rules[0].changes == 7 && target.rules[0].keysDeleted == 7)
                #expect(target.totals.changes == 7 && target.totals.records == 7 && target.totals.failures == 0)
                try await eventually("nothing is left") { worker.status.targets[0].backlog == 0 }
                #expect(worker.status.targets[0].lagSeconds == 0)
            }
        }
    }

    @Test func lastChanges() async throws {
        try await Site.withProxiedUsers { site, proxy in
            try await withWorker(of: site) { worker in
                let news = worker.changes.follow()
                proxy.poison(Array("user:2".utf8), with: "ERR no")
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try await site.change(2...2)
                try await site.connect().sql("DELETE FROM users WHERE id = '3'; TRUNCATE users")
                try await eventually("all was done") { worker.changes.all.count { $0.state != .pending } == 4 }
                let all = worker.changes.all
                #expect(all.map(\.kind) == ["update", "update", "delete", "anyRow"])
                #expect(all.allSatisfy { $0.table == "public.users" && $0.rules.map(\.rule) == ["user"] })
                #expect(all.prefix(3).map { $0.rules[0].keys } == [["user:1"], ["user:2"], ["user:3"]])
                #expect(all[3].rules[0].patterns == ["user:*"])
                #expect(all[0].state == .done && all[0].failures == [])
                #expect(all[1].state == .failed && all[1].failures.first?.contains("ERR no") == true)
                #expect(all.allSatisfy { ($0.lagMilliseconds ?? -1) >= 0 && $0.lagMilliseconds ?? .infinity < 20_000 })
                var followed: [Int] = []
                for await case .change(let change) in news {
                    followed.append(change.id)
                    if followed.count == 4 { break }
                }
                #expect(followed.sorted() == all.map(\.id))
            }
        }
    }

    /// Who doesn't look fast enough is told how much was left out, and costs no memory.
    @Test func slowFollower() async throws {
        try await Site.withUsers { site, _ in
            try await withWorker(of: site) { worker in
                let news = worker.changes.follow()
                try await site.connect().sql(
                    "INSERT INTO users SELECT n::text FROM generate_series(1000, 20999) AS n")
                try await eventually("all is done") { worker.status.targets[0].totals.keysDeleted == 20_000 }
                #expect(worker.changes.all.count == 300)
                var (shown, skipped) = (0, 0)
                for await event in news {
                    switch event {
                    case .change: shown += 1
                    case .skipped(let count): skipped += count
                    }
                    if shown + skipped >= 20_000 { break }
                }
                #expect(shown <= 300 && shown + skipped == 20_000)
            }
        }
    }

    /// Nothing reaches a target that is held, and nothing is lost. The order outlives the worker.
    @Test func hold() async throws {
        try await Site.withUsers { site, _ in
            try await withWorker(of: site) { worker in
                #expect(worker.hold(true))
                try await site.change(1...3)
                try await eventually("they wait") { worker.status.targets[0].backlog >= 3 }
                let waiting = worker.status.targets[0]
                #expect(waiting.isHeld && waiting.state == .connected)
                try await eventually("time goes by") { worker.status.targets[0].lagSeconds > 0.2 }
                try await site.expectUntouched(1...200)
                try await eventually("the order is stored") {
                    try await site.connect().value("SELECT state ->> 'isHeld' FROM unstale.targets") == "true"
                }
            }
            try await withWorker(of: site) { worker in
                #expect(worker.status.targets[0].isHeld)
                try await site.change(4...4)
                try await eventually("they wait") { worker.status.targets[0].backlog >= 4 }
                try await site.expectUntouched(1...200)
                #expect(worker.hold(false))
                try await site.waitUntilGone(1...4)
                try await site.waitUntilServed()
                #expect(worker.status.targets[0].totals.keysDeleted >= 4)
            }
        }
    }

    /// A change that was written long before its transaction was committed was not late.
    @Test func longTransaction() async throws {
        try await Site.withUsers { site, _ in
            try await withWorker(of: site) { worker in
                let application = try await site.connect()
                try await application.sql("BEGIN; UPDATE users SET name = 'x' WHERE id = '1'")
                let begun = ContinuousClock.now
                try await eventually("the transaction is old") { .now - begun > .seconds(4) }
                try await application.sql("COMMIT")
                try await eventually("it was served") { worker.changes.all.last?.state == .done }
                // The safety sweep saw a second ago, at most, that it was not there.
                #expect(worker.changes.all.last?.lagMilliseconds ?? .infinity < 2_500)
            }
        }
    }

    /// A command is offered where it is all that has to be done.
    @Test func faults() async throws {
        try await Site.withUsers { site, _ in
            try await withWorker(of: site) { worker in
                let application = try await site.connect()
                func fault(_ text: String) async throws -> WorkerStatus.Fault {
                    try await eventually("'\(text)' is degraded") {
                        worker.status.degraded.contains { $0.reason.contains(text) }
                    }
                    return try #require(worker.status.degraded.first { $0.reason.contains(text) })
                }
                try await application.sql("ALTER TABLE users DISABLE TRIGGER unstale_update")
                let disabled = try await fault("is disabled")
                #expect(disabled.command == "unstale install" && disabled.losesChanges)
                try await application.sql("ALTER TABLE users RENAME COLUMN id TO number")
                let gone = try await fault("column 'id'")
                #expect(gone.command == nil && gone.table == "public.users")
            }
        }
    }

    /// Who stands by leads nobody, and takes no orders.
    @Test func standingBy() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { _ in
                let worker = try Worker(
                    rules: RuleSet.load([site.rules]).rules,
                    settings: WorkerSettings(postgres: PostgresSettings(connection: site.database)),
                    targets: [TargetSettings(url: RedisURL(site.redis))],
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                #expect(worker.status.state == .starting)
                try await withThrowingTaskGroup { group in
                    group.addTask { try await worker.run() }
                    try await eventually("it stands by") { worker.status.state == .standingBy }
                    #expect(!worker.hold(true))
                    group.cancelAll()
                    _ = await group.nextResult()
                }
            }
        }
    }
}
