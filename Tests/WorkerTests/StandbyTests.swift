import Capture
import Glibc
import Postgres
import TestSupport
import Testing

/// One worker at a time.
@Suite struct StandbyTests {
    @Test(arguments: Wake.allCases) func takesOverAfterKill(wake: Wake) async throws {
        try await Site.withUsers(install: ["--wake", wake.rawValue]) { site, _ in
            let first = try site.startWorker()
            try await first.waitUntilServing()
            try await site.withWorker(isServing: false) { second in
                try await second.wait(for: "Standing by")
                let writer = Task { try await site.change(1...200) }
                try await site.waitUntilGone([20])
                let death = ContinuousClock.now
                try await first.kill9()
                try await second.waitUntilServing()
                #expect(.now - death < .seconds(5))
                try await writer.value
                try await site.waitUntilGone(1...200)
                #expect(second.count("Standing by") == 1)
            }
        }
    }

    @Test func takesOverWhenTheLeadersSessionEnds() async throws {
        try await Site.withUsers { site, _ in
            try await site.withWorker { first in
                try await site.withWorker(isServing: false) { second in
                    try await second.wait(for: "Standing by")
                    let lead = try await takeLead(site)
                    try await first.wait(for: "Standing by")
                    // As one that was stopped for a minute.
                    first.signal(SIGSTOP)
                    try await lead.sql("SELECT pg_advisory_unlock_all()")
                    try await second.waitUntilServing(within: .seconds(5))
                    first.signal(SIGCONT)
                    try await site.change(1...50)
                    try await site.waitUntilGone(1...50)
                    #expect(first.count("Serving") == 1)
                }
                try await first.waitUntilServing(session: 2, within: .seconds(5))
                try await site.change(51...100)
                try await site.waitUntilGone(51...100)
            }
        }
    }

    /// Who stands by tells nothing of when it led: that is the other's by now.
    @Test func forgetsWhatItKnewAsLeader() async throws {
        try await Site.withUsers { site, redis in
            try await site.withWorkerInside(change: { $0.captureCheckInterval = .milliseconds(200) }) { first in
                let application = try await site.connect()
                try await application.sql("ALTER TABLE users DISABLE TRIGGER unstale_delete")
                try redis.pause()
                try await site.change(1...3)
                try await eventually("a fault and changes in flight") {
                    let target = first.status.targets[0]
                    return !first.status.degraded.isEmpty && target.backlog > 0
                }
                try await site.withWorker(isServing: false) { second in
                    try await second.wait(for: "Standing by")
                    let lead = try await takeLead(site)
                    try await eventually("another leads") { first.status.state == .standingBy }
                    let target = first.status.targets[0]
                    #expect(first.status.degraded.isEmpty && target.backlog == 0 && target.lagSeconds == 0)
                    try redis.resume()
                    try await lead.sql("SELECT pg_advisory_unlock_all()")
                    try await site.waitUntilGone(1...3)
                }
            }
        }
    }

    /// Ends the leader's session and gives one that has its lock, before anybody else gets it: who waits is first.
    private func takeLead(_ site: Site) async throws -> PostgresConnection {
        let (lead, witness) = (try await site.connect(), try await site.connect())
        let pid = try #require(try await lead.value("SELECT pg_backend_pid()"))
        let (space, number) = (0x756e_7374, 2)
        async let wait = lead.sql("SELECT pg_advisory_lock(\(space), \(number))")
        let locks = """
            FROM pg_locks WHERE locktype = 'advisory' AND objid = \(number)
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        try await eventually("it waits") {
            try await witness.value("SELECT count(*) \(locks) AND NOT granted AND pid = \(pid)") == "1"
        }
        try await witness.sql("SELECT pg_terminate_backend(pid) \(locks) AND granted")
        _ = try await wait
        return lead
    }

    /// Workers of other databases on the same server don't count.
    @Test func otherDatabases() async throws {
        try await Site.withUsers { one, _ in
            try await one.withWorker { _ in
                try await Site.withUsers { other, _ in
                    try await other.withWorker { worker in #expect(worker.count("Standing by") == 0) }
                }
            }
        }
    }
}
