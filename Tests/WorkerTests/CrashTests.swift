import TestSupport
import Testing

/// Whatever crashes, alone or together, under load: every committed change's key is gone, nothing else is.
@Suite struct CrashTests {
    /// 20 times, at random moments, some of which are within its first milliseconds.
    @Test func workerIsKilled() async throws {
        var random = SeededGenerator()
        try await Site.withShop { site, _, _ in
            var oracle = Oracle(site)
            var worker = try site.startWorker()
            for _ in 1...4 {
                try await oracle.fill()
                try await Load.with(site, seed: random.next()) { load in
                    for _ in 1...5 {
                        try await load.wait(for: .random(in: 10...700, using: &random))
                        try await worker.kill9()
                        worker = try site.startWorker()
                    }
                }
                try await site.waitUntilServed()
                try await oracle.check()
            }
            #expect(try await worker.terminate() == 0)
        }
    }

    /// Five times, as in a crash: it recovers, and commits that did not wait for the disk may be lost.
    @Test func postgresCrashes() async throws {
        var random = SeededGenerator()
        try await Site.withShop(ownPostgres: true) { site, postgres, _ in
            try await site.withWorker { worker in
                var oracle = Oracle(site)
                try await oracle.fill()
                try await Load.with(site, seed: random.next()) { load in
                    for crash in 1...5 {
                        try await load.wait(for: .random(in: 300...700, using: &random))
                        try await postgres?.restart(.immediate)
                        if crash % 2 == 0 { try await worker.waitUntilServing(session: crash / 2 + 1) }
                    }
                    try await load.wait(for: 300)
                }
                try await site.waitUntilServed()
                try await oracle.check()
            }
        }
    }

    /// Five times. A Redis with a snapshot comes back with what had been deleted since; one without, empty.
    @Test(arguments: [true, false]) func redisCrashes(hasSnapshot: Bool) async throws {
        var random = SeededGenerator()
        try await Site.withShop { site, _, redis in
            try await site.withWorker { worker in
                var oracle = Oracle(site)
                try await oracle.fill()
                try await Load.with(site, seed: random.next()) { load in
                    for crash in 1...5 {
                        try await load.wait(for: .random(in: 10...500, using: &random))
                        if hasSnapshot { try await redis.cli("save") }
                        try await load.wait(for: .random(in: 300...700, using: &random))
                        try await redis.kill9()
                        try await redis.start()
                        try await worker.wait(for: "replaying the window", count: crash)
                    }
                }
                try await site.waitUntilServed()
                try await oracle.check(losses: hasSnapshot ? .replayed : .everything)
            }
        }
    }

    /// All three of them, in any order and at once.
    @Test func everythingCrashes() async throws {
        var random = SeededGenerator()
        try await Site.withShop(ownPostgres: true) { site, postgres, redis in
            var oracle = Oracle(site)
            try await oracle.fill()
            var worker = try site.startWorker()
            try await Load.with(site, seed: random.next()) { load in
                for _ in 1...8 {
                    try await load.wait(for: .random(in: 10...500, using: &random))
                    try await redis.cli("save")
                    try await load.wait(for: .random(in: 10...500, using: &random))
                    let victims = Int.random(in: 1...7, using: &random)
                    if victims & 1 != 0 { try await worker.kill9() }
                    if victims & 2 != 0 { try await redis.kill9() }
                    if victims & 4 != 0 { try await postgres?.restart(.immediate) }
                    if victims & 2 != 0 { try await redis.start() }
                    if victims & 1 != 0 { worker = try site.startWorker() }
                }
            }
            try await site.waitUntilServed()
            try await oracle.check(losses: .replayed)
            #expect(try await worker.terminate() == 0)
        }
    }
}
