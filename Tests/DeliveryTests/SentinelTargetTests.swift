import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

/// A target behind Sentinels follows the master.
@Suite struct SentinelTargetTests {
    private let key = Key("key")

    private func runID(_ server: RedisServer) async throws -> String {
        try await RedisConnection.connect(to: server.url()).identity(deadline: .seconds(5)).runID
    }

    private func sweepsAndDeletes(
        _ sweeper: Sweeper, _ target: Target, at server: RedisServer
    ) async throws {
        let client = try await Client(server.url())
        try await client.set([key, Key("a:1"), Key("b:1")])
        #expect(try await target.delete([key]).isEmpty)
        #expect(try await sweeper.sweep([Pattern("a:*")]).isEmpty)
        #expect(try await client.existing([key, Key("a:1"), Key("b:1")]) == [Key("b:1")])
    }

    @Test func theMasterIsKilled() async throws {
        try await SentinelSite.with { site in
            try await withSweeper(RedisURL(site.url())) { sweeper, target in
                try await sweepsAndDeletes(sweeper, target, at: site.servers[0])
                let old = await target.server
                try await site.servers[0].kill9()
                let deletion = Task { try await target.delete([key]) }
                #expect(try await deletion.value.isEmpty)
                #expect(await target.server != old)
                try await sweepsAndDeletes(sweeper, target, at: site.servers[1])
            }
        }
    }

    /// The Sentinels take it for dead, and it comes back as the master that it was: nobody but they can say that it
    /// is none.
    @Test(arguments: [false, true]) func theMasterStandsStill(isIndexed: Bool) async throws {
        let options = TargetOptions(index: isIndexed ? KeyIndexOptions(prefixes: ["a:"]) : nil)
        try await SentinelSite.with { site in
            try await withSweeper(RedisURL(site.url()), target: options) { sweeper, target in
                if isIndexed { try await eventually("an index") { sweeper.indexStatus?.state == .ready } }
                try await sweepsAndDeletes(sweeper, target, at: site.servers[0])
                try site.servers[0].pause()
                try await site.wait(forMaster: site.servers[1])
                try site.servers[0].resume()
                let new = try await runID(site.servers[1])
                // Before they have told the old one, which they do after 8 seconds.
                try await eventually(within: .seconds(5), "the new master") { await target.server == new }
                try await sweepsAndDeletes(sweeper, target, at: site.servers[1])
            }
        }
    }

    /// There and back again.
    @Test func switchesByOrder() async throws {
        try await SentinelSite.with { site in
            try await withTarget(RedisURL(site.url())) { (target, story) async throws in
                #expect(try await target.delete([key]).isEmpty)
                for (old, new) in [(0, 1), (1, 0)] {
                    try await site.waitUntilReplicated(from: site.servers[old], to: site.servers[new])
                    try await eventually(within: .seconds(60), "a failover") {
                        try await site.sentinels[0].cli("sentinel", "failover", SentinelSite.name) == "OK\n"
                    }
                    try await site.wait(forMaster: site.servers[new])
                    let id = try await runID(site.servers[new])
                    try await eventually("the new master") { await target.server == id }
                    #expect(try await target.delete([key]).isEmpty)
                }
                #expect(Set(story.identities.map(\.runID)).count == 2)
                #expect(story.identities.allSatisfy { $0.role == .master })
            }
        }
    }

    @Test func noSentinelIsThere() async throws {
        try await SentinelSite.with { site in
            try await withTarget(RedisURL(site.url())) { (target, _) async throws in
                #expect(try await target.delete([key]).isEmpty)
                for sentinel in site.sentinels { try await sentinel.kill9() }
                #expect(try await target.delete([key]).isEmpty, "they are needed to find the master and for no more")
                try await site.servers[0].cli("CLIENT", "KILL", "TYPE", "normal")
                try await eventually("a pause") {
                    guard case .paused(_, let reason) = target.state else { return false }
                    return reason.contains("no Sentinel names the master") && reason.contains("connection refused")
                }
                try await site.sentinels[1].start()
                #expect(try await target.delete([key]).isEmpty)
            }
        }
    }
}
