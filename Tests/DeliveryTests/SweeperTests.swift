import Redis
import Rules
import Synchronization
import TestSupport
import Testing

@testable import Delivery

@Suite struct SweeperTests {
    /// As fast as can be: what pace there is, is tested without a server.
    private let unpaced = SweepOptions(share: 1)

    @Test func deletesWhatMatchesAndNothingThatLooksAlike() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let users = (0..<50_000).map { Key("user:\($0)") }
            let stars = [Key("star:*"), Key("star:?"), Key("star:\\"), Key("star:[a]")]
            let canaries =
                (0..<50_000).map { Key("User:\($0)") } + [
                    Key("user"), Key("xuser:1"), Key("resp:/a?b"), Key("star:a"),
                ]
            let pages = [Key("resp:/users/7?page=1"), Key("resp:/users/7?"), Key("resp:/users/7?é\n*")]
            let others = [Key("resp:/users/7"), Key("resp:/users/70?page=1"), Key("resp:/users/7x")]
            try await client.set(users + stars + canaries + pages + others)
            try await withSweeper(server.url(), options: unpaced) { (sweeper, _) async throws in
                let patterns = [Pattern("user:*"), Pattern("resp:/users/7\\?*")]
                #expect(try await sweeper.sweep(patterns).isEmpty)
                #expect(try await client.existing(users + pages).isEmpty)
                #expect(sweeper.statistics.keysMatched == users.count + pages.count)
                for star in stars {
                    #expect(try await sweeper.sweep([Pattern(bytes: Pattern.escape(star.bytes))]).isEmpty)
                }
                #expect(try await client.existing(stars).isEmpty)
                #expect(try await client.existing(canaries + others) == Set(canaries + others))
                #expect(sweeper.statistics.passes == 5 && sweeper.statistics.brokenPasses == 0)
            }
        }
    }

    @Test func missesNothingWhileOthersWrite() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let old = (0..<20_000).map { Key("old:\($0)") }
            try await client.set(old)
            let writer = try await Client(server.url())
            let writing = Task {
                // The keyspace grows and shrinks, so that the table is rehashed under the cursor.
                while !Task.isCancelled {
                    let new = (0..<30_000).map { Key("new:\($0)") }
                    try await writer.set(new)
                    try await writer.send(RedisCommand("UNLINK", new.map(\.bytes)))
                }
            }
            try await withSweeper(server.url(), options: unpaced) { (sweeper, _) async throws in
                for round in 0..<5 {
                    #expect(try await sweeper.sweep([Pattern("old:*")]).isEmpty)
                    #expect(try await client.existing(old).isEmpty, "round \(round)")
                    try await client.set(old)
                }
            }
            writing.cancel()
            _ = await writing.result
        }
    }

    @Test func onePassServesAllWhoWait() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<20_000).map { Key("k\($0 % 100):\($0)") }
            try await client.set(keys)
            try await withSweeper(server.url(), options: unpaced) { (sweeper, target) async throws in
                try await withThrowingTaskGroup { group in
                    for number in 0..<100 {
                        group.addTask {
                            let failures = try await sweeper.sweep([Pattern("k\(number):*")])
                            #expect(failures.isEmpty)
                        }
                    }
                    #expect(try await target.delete([Key("meanwhile")]).isEmpty)
                    try await group.waitForAll()
                }
                #expect(try await client.existing(keys).isEmpty)
                #expect(sweeper.statistics.passes < 50, "not one a pattern")
            }
        }
    }

    @Test func beginsAnewWhenRedisDies() async throws {
        try await RedisServer.with(["--appendonly", "yes"]) { server in
            let keys = (0..<20_000).map { Key("sweep:\($0)") }
            try await Client(server.url()).set(keys)
            try await withSweeper(server.url(), options: .init(share: 0.2)) { (sweeper, _) async throws in
                let sweep = Task { try await sweeper.sweep([Pattern("swee?:*"), Pattern("none:*")]) }
                for broken in 1...2 {
                    let scanned = sweeper.statistics.keysScanned
                    try await eventually("a pass under way") { sweeper.statistics.keysScanned > scanned }
                    try await server.kill9()
                    try await server.start()
                    try await eventually("the end of the pass") { sweeper.statistics.brokenPasses >= broken }
                }
                #expect(try await sweep.value.isEmpty)
                #expect(sweeper.statistics.passes == 1)
                #expect(try await Client(server.url()).existing(keys).isEmpty)
            }
        }
    }

    @Test func tellsThePoisonKeyToWhomItConcerns() async throws {
        try await RedisServer.with { server in
            let keys = (0..<1000).map { Key("a:\($0)") } + (0..<1000).map { Key("b:\($0)") }
            let client = try await Client(server.url())
            try await client.set(keys)
            try await FaultProxy.with(to: server.port) { proxy in
                proxy.poison(Array("a:500".utf8), with: "WRONGTYPE it is poison")
                try await withSweeper(proxy.url, options: unpaced) { (sweeper, _) async throws in
                    async let a = sweeper.sweep([Pattern("a:*")])
                    async let b = sweeper.sweep([Pattern("b:*")])
                    #expect(try await a == [Failure(key: Key("a:500"), reason: "WRONGTYPE it is poison")])
                    #expect(try await b.isEmpty)
                }
            }
            #expect(try await client.existing(keys) == [Key("a:500")])
        }
    }

    @Test func waitsForPermissionToScan() async throws {
        try await RedisServer.with(["--user", "app", "on", ">secret", "~*", "+@all", "-scan"]) { server in
            try await withSweeper(server.url(login: "app:secret@")) { (sweeper, target) async throws in
                let sweep = Task { try await sweeper.sweep([Pattern("a*")]) }
                try await eventually("a pause") {
                    if case .paused(_, let reason) = sweeper.connectionState {
                        reason.contains("NOPERM")
                    } else {
                        false
                    }
                }
                #expect(try await target.delete([Key("by key")]).isEmpty, "deletes by key go on")
                try await server.cli("ACL", "SETUSER", "app", "+scan")
                #expect(try await sweep.value.isEmpty)
            }
        }
    }

    @Test func cancellationAndEndOfRun() async throws {
        let server = try await RedisServer.with { $0 }
        let left = Mutex<Task<[Failure], any Error>?>(nil)
        try await withSweeper(server.url()) { (sweeper, _) async throws in
            #expect(try await sweeper.sweep([]).isEmpty)
            let cancelled = Task { try await sweeper.sweep([Pattern("a*")]) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            left.withLock { $0 = Task { try await sweeper.sweep([Pattern("b*")]) } }
        }
        let task = left.withLock { $0 }
        await #expect(throws: CancellationError.self) { _ = try await task?.value }
    }
}
