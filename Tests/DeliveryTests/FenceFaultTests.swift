import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct FenceFaultTests {
    /// A pipeline of a few hundred keys.
    private let small = TargetOptions(
        deadline: .milliseconds(200), checkInterval: .milliseconds(50), bytesPerPipeline: 50_000)

    private enum Fault: CaseIterable { case cut, lostReplies, restart }

    /// The whole pipeline is carried out although not one of its replies arrives.
    @Test func aThousandFencedKeysTakeOneRoundTrip() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<1000).map { Key("key:\($0)") }
            try await client.set(keys)
            try await FaultProxy.with(to: server.port) { proxy in
                try await withTarget(proxy.url) { (target, _) async throws in
                    try await eventually("a connection") { target.state == .connected }
                    proxy.fault = .swallowReplies
                    async let failures = target.delete(keys, fenced: Set(keys))
                    try await eventually("the end of the keys") { try await client.existing(keys).isEmpty }
                    let fences = keys.map { Key("unstale:fence:\($0)") }
                    #expect(try await client.existing(fences).count == keys.count)
                    proxy.fault = .none
                    proxy.cut()
                    #expect(try await failures.isEmpty)
                }
            }
        }
    }

    @Test func aFenceThatFailsConcernsItsKeyAlone() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<1000).map { Key("key:\($0)") }
            try await client.set(keys)
            try await FaultProxy.with(to: server.port) { proxy in
                proxy.poison(Array("unstale:fence:key:17".utf8), with: "ERR no fence")
                proxy.poison(Array("unstale:fence:key:18".utf8), with: "ERR no fence")
                proxy.poison(Array("key:18".utf8), with: "ERR no deletion")
                try await withTarget(proxy.url) { (target, story) async throws in
                    let failures = try await target.delete(keys, fenced: Set(keys))
                    #expect(
                        Set(failures) == [
                            Failure(key: keys[17], reason: "ERR no fence"),
                            Failure(key: keys[18], reason: "ERR no deletion"),
                        ])
                    #expect(failures.count == 2 && story.pauses == 0)
                }
            }
            #expect(try await client.existing(keys) == [keys[18]])
        }
    }

    /// Without room for a token the old one is deleted: what a reader has loaded is void, and nobody waits.
    @Test func fullMemoryDoesNotKeepFromDeleting() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = (0..<600).map { Key("key:\($0)") }
            var reader = FencedReader(Key("key:7"))
            for step in [FencedReader.Step.look, .takeToken, .load] {
                try await reader.perform(step, database: 1, client)
            }
            try await client.set(keys)
            try await withTarget(server.url()) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try await server.cli("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
                #expect(try await target.delete(keys, fenced: Set(keys.prefix(300))).isEmpty)
                #expect(try await target.delete([Key("other")]).isEmpty)
                #expect(story.pauses == 0)
            }
            #expect(try await client.existing(keys).isEmpty)
            try await server.cli("CONFIG", "SET", "maxmemory", "0")
            try await reader.perform(.store, database: 1, client)
            #expect(reader.hasStored == false)
        }
    }

    @Test func faultsInTheMiddleOfPipelinesLeaveNothingStale() async throws {
        var random = SeededGenerator()
        // A server that syncs now and then may forget at its end what it has acknowledged.
        try await RedisServer.with(["--appendonly", "yes", "--appendfsync", "always"]) { server in
            try await FaultProxy.with(to: server.port) { proxy in
                try await withTarget(proxy.url, options: small) { (target, story) async throws in
                    var sum = InterleavingOutcome()
                    for round in 0..<18 {
                        let fault = Fault.allCases[round % Fault.allCases.count]
                        sum += try await outcome(of: fault, round, server, proxy, target, &random)
                    }
                    #expect(sum.stale == 0)
                    #expect(sum.stored > 1000 && sum.refused > 1000, "\(sum)")
                    #expect(story.pauses >= 12, "faults that were felt")
                }
            }
        }
    }

    /// Readers have loaded when the commit comes. Some store before the worker deletes, the others while the fault
    /// is there, at which time the worker has got to a random key.
    private func outcome(
        of fault: Fault, _ round: Int, _ server: RedisServer, _ proxy: FaultProxy, _ target: Target,
        _ random: inout SeededGenerator
    ) async throws -> InterleavingOutcome {
        var client = try await Client(server.url())
        var readers = (0..<2000).map { FencedReader(Key("\(round):\($0)")) }
        let tokens = try await client.pipeline(readers.flatMap { $0.takingToken() })
        for index in readers.indices {
            readers[index].take([tokens[2 * index + 1]])
            readers[index].load(1)
        }
        let early = readers.shuffled(using: &random).prefix(Int.random(in: 100...1000, using: &random))
        _ = try await client.pipeline(early.map { $0.storing() })

        try await eventually("a connection") { target.state == .connected }
        let keys = readers.map(\.key)
        let deletion = Task { try await target.delete(keys, fenced: Set(keys)) }
        let reader = Int.random(in: readers.indices, using: &random)
        let reading = RedisCommand("GET", "unstale:fence:\(keys[reader])")
        while try await client.send(reading) == tokens[2 * reader + 1] { await Task.yield() }
        switch fault {
        case .cut: proxy.cut()
        case .lostReplies: proxy.fault = .swallowReplies
        case .restart:
            try await server.kill9()
            try await server.start()
            client = try await Client(server.url())
        }
        let stores = try await client.pipeline(readers.map { $0.storing() })
        if fault == .lostReplies {
            try await eventually("a pause") { target.state != .connected }
            proxy.fault = .none
        }
        #expect(try await deletion.value.isEmpty)
        let late = try await client.pipeline(readers.map { $0.storing() })
        return InterleavingOutcome(
            stale: try await client.existing(keys).count,
            stored: early.count + stores.count { $0 == .integer(1) },
            refused: stores.count { $0 == .integer(0) } + late.count { $0 == .integer(0) })
    }
}
