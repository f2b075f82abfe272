import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct FenceTests {
    private func interleavings(_ count: Int, _ test: String = #function) -> [Interleaving] {
        var random = SeededGenerator(test)
        return (0..<count).map { _ in Interleaving(using: &random) }
    }

    /// The hole that fences close, in its plainest form.
    @Test(arguments: [false, true]) func aSlowReader(isFenced: Bool) async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let key = Key("slow")
            try await withTarget(server.url()) { (target, _) async throws in
                var reader = FencedReader(key, isFenced: isFenced)
                for step in [FencedReader.Step.look, .takeToken, .load] {
                    try await reader.perform(step, database: 1, client)
                }
                #expect(try await target.delete([key], fenced: isFenced ? [key] : []).isEmpty)
                try await reader.perform(.store, database: 2, client)
                #expect(reader.hasStored == !isFenced)
                #expect(try await client.existing([key]) == (isFenced ? [] : [key]))

                var next = FencedReader(key, isFenced: isFenced)
                for step in FencedReader.Step.allCases { try await next.perform(step, database: 2, client) }
                #expect(next.hasStored == (isFenced ? true : nil), "the next one stores, unless it finds the entry")
            }
        }
    }

    @Test func noInterleavingLeavesAnythingStale() async throws {
        let interleavings = interleavings(2000)
        #expect(Set(interleavings.flatMap(\.stepsBeforeDeletions)) == Set(0...FencedReader.Step.allCases.count))
        try await RedisServer.with { server in
            try await withTarget(server.url()) { (target, _) async throws in
                let fenced = try await outcome(of: interleavings, isFenced: true, target)
                #expect(fenced.stale == 0)
                #expect(fenced.stored > 1000 && fenced.refused > 500, "\(fenced)")
                let unfenced = try await outcome(of: interleavings, isFenced: false, target)
                #expect(unfenced.stale > 100, "\(unfenced)")
            }
        }
    }

    private func outcome(
        of interleavings: [Interleaving], isFenced: Bool, _ target: Target
    ) async throws -> InterleavingOutcome {
        try await withThrowingTaskGroup { group in
            let lanes = 8
            for lane in 0..<lanes {
                group.addTask {
                    let client = try await Client(target.url)
                    var sum = InterleavingOutcome()
                    for number in stride(from: lane, to: interleavings.count, by: lanes) {
                        let key = Key("\(isFenced):\(number)")
                        var run = InterleavingRun(interleavings[number], on: key, isFenced: isFenced)
                        for step in interleavings[number].steps.indices {
                            guard try await run.needsDeletion(at: step, client) else { continue }
                            let failures = try await target.delete([key], fenced: isFenced ? [key] : [])
                            #expect(failures.isEmpty)
                        }
                        sum += try await run.outcome(client)
                    }
                    return sum
                }
            }
            return try await group.reduce(into: InterleavingOutcome()) { $0 += $1 }
        }
    }

    @Test func noInterleavingWithSweepsLeavesAnythingStale() async throws {
        let interleavings = interleavings(500)
        try await RedisServer.with { server in
            try await withSweeper(server.url(), options: .init(share: 1)) { (sweeper, target) async throws in
                let client = try await Client(server.url())
                let fenced = try await outcome(of: interleavings, isFenced: true, sweeper, client)
                #expect(fenced.stale == 0)
                #expect(fenced.stored > 250 && fenced.refused > 100, "\(fenced)")
                let unfenced = try await outcome(of: interleavings, isFenced: false, sweeper, client)
                #expect(unfenced.stale > 10, "\(unfenced)")
            }
        }
    }

    /// All go step by step, so that one pass serves whoever deletes at that step.
    private func outcome(
        of interleavings: [Interleaving], isFenced: Bool, _ sweeper: Sweeper, _ client: Client
    ) async throws -> InterleavingOutcome {
        var runs = interleavings.enumerated().map { number, interleaving in
            InterleavingRun(interleaving, on: Key("\(isFenced):\(number):key"), isFenced: isFenced)
        }
        for step in 0..<(interleavings.map(\.steps.count).max() ?? 0) {
            var patterns: [Pattern] = []
            for number in runs.indices where try await runs[number].needsDeletion(at: step, client) {
                patterns.append(Pattern("\(isFenced):\(number):*"))
            }
            #expect(try await sweeper.sweep(patterns, fenced: isFenced ? Set(patterns) : []).isEmpty)
        }
        var sum = InterleavingOutcome()
        for run in runs { sum += try await run.outcome(client) }
        return sum
    }

    @Test func aTokenLivesAMinute() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await withTarget(server.url()) { (target, _) async throws in
                #expect(try await target.delete([Key("a"), Key("b")], fenced: [Key("b")]).isEmpty)
                #expect(try await server.cli("KEYS", "*") == "unstale:fence:b\n")
                let first = try await client.send(RedisCommand("GET", "unstale:fence:b")).text ?? ""
                #expect(first.count == 32 && first.allSatisfy { "0123456789abcdef".contains($0) })
                guard case .integer(let life) = try await client.send(RedisCommand("PTTL", "unstale:fence:b")) else {
                    Issue.record("no PTTL")
                    return
                }
                #expect((50_000...60_000).contains(life))
                #expect(try await target.delete([Key("b")], fenced: [Key("b")]).isEmpty)
                #expect(try await client.send(RedisCommand("GET", "unstale:fence:b")).text != first)
            }
        }
    }

    @Test func aTargetMayFenceEverything() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set([Key("unstale:fence:c:1"), Key("unstale:fence:d:1")])
            let all = TargetOptions(fencesAll: true)
            try await withSweeper(server.url(), target: all) { (sweeper, target) async throws in
                #expect(try await target.delete([Key("a"), Key("b")], fenced: [Key("b")]).isEmpty)
                #expect(try await client.existing(["a", "b"].map { Key("unstale:fence:\($0)") }).count == 2)
                #expect(try await sweeper.sweep([Pattern("c:*")]).isEmpty)
                #expect(try await client.send(RedisCommand("GET", "unstale:fence:c:1")).text?.count == 32)
                #expect(try await client.send(RedisCommand("GET", "unstale:fence:d:1")).text == "1")
            }
        }
    }

    /// SCAN need not return a key that was stored behind its cursor, nor one that was there only for a part of the
    /// pass, as the token of a reader that stored in time and that then expired or was evicted.
    @Test func aTokenThatIsGoneBeforeScanMeetsIt() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set((0..<3000).map { Key("filler:\($0)") })
            var readers = (0..<2000).map { FencedReader(Key("key:\($0)")) }
            let tokens = try await client.pipeline(readers.flatMap { $0.takingToken() })
            for index in readers.indices {
                readers[index].take([tokens[2 * index + 1]])
                readers[index].load(1)
            }
            try await FaultProxy.with(to: server.port) { proxy in
                // So little that SCANs are small, and many, but follow each other at once.
                let steps = SweepOptions(share: 1, callLimit: .microseconds(1))
                try await withSweeper(proxy.url, options: steps) { (sweeper, _) async throws in
                    async let failures = sweeper.sweep([Pattern("key:*")], fenced: [Pattern("key:*")])
                    try await eventually("a pass under way") { sweeper.statistics.fencesMatched > 500 }
                    proxy.fault = .stall
                    let stores = try await client.pipeline(readers.map { $0.storing() })
                    let fences = readers.map { Key("unstale:fence:\($0.key)").bytes }
                    try await client.send(RedisCommand("UNLINK", fences))
                    proxy.fault = .none
                    #expect(try await failures.isEmpty)
                    let stored = stores.count { $0 == .integer(1) }
                    #expect((1..<readers.count).contains(stored), "a pass under way")
                }
            }
            #expect(try await client.existing(readers.map(\.key)).isEmpty)
        }
    }
}
